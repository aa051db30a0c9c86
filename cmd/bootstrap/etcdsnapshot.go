package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"bootstrap/phases"
	"bootstrap/phases/plan"
	"bootstrap/phases/snapshot"
	"bootstrap/phases/spec"
)

func newEtcdCommand() *cobra.Command {
	return newGroup("etcd", "Save, prove and restore what etcd holds", newSnapshotCommand(), newEtcdRestoreCommand())
}

func newSnapshotCommand() *cobra.Command {
	status := newStatusCommand()
	status.Short = "Show how the schedule of snapshots goes, with all of status"
	return newGroup("snapshot", "Save snapshots of etcd, and prove that they can be restored",
		newSnapshotSaveCommand(), newSnapshotListCommand(), newSnapshotVerifyCommand(), newSnapshotPruneCommand(), newSnapshotScheduleCommand(), status)
}

// snapshotOptions are the flags that several of these commands have.
type snapshotOptions struct {
	at, bundle, root string
	name, identity   string
	json             bool
	save             phases.Save
	run              phases.Scheduled
}

func (o *snapshotOptions) addMachine(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.bundle, "bundle", "", "bundle to take programs from (default: found as init does, else the images on this machine)")
	addRootFlag(cmd.Flags(), &o.root)
}

func (o *snapshotOptions) addPlace(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.at, "to", spec.SnapshotDir, "where the archives lie: a folder, or s3://BUCKET/FOLDER, which "+spec.SnapshotBucket+" says how to reach")
}

func (o *snapshotOptions) addIdentity(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.identity, "identity", "", "file of age with the key that the archive was encrypted to")
}

func (o *snapshotOptions) addSave(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.save.EncryptTo, "encrypt-to", "", "recipient of age (age1...) that the archive is encrypted to")
	cmd.Flags().BoolVar(&o.save.WithoutPKI, "without-pki", false, "leave out the cluster's CAs and keys, also those of Secrets' encryption, which are kept elsewhere then")
}

func (o *snapshotOptions) addKeep(cmd *cobra.Command) {
	cmd.Flags().IntVar(&o.run.Keep, "keep", 12, "how many of the newest archives stay")
	cmd.Flags().IntVar(&o.run.Days, "keep-daily", 7, "of how many days the newest one stays as well")
}

// open opens the folder or bucket, and the keys of --identity.
func (o *snapshotOptions) open(env *phases.Env) (*phases.Snapshots, error) {
	s, err := env.OpenSnapshots(o.at)
	if err == nil && o.identity != "" {
		s.Identities, err = os.ReadFile(o.identity)
	}
	return s, err
}

// snapshotWork is what one of these commands does with this machine, beside whoever works on it, and the folder or bucket.
type snapshotWork func(context.Context, *phases.Env, *phases.Snapshots) ([]snapshot.Entry, error)

// command does the work, and shows the archives that it gives.
func (o *snapshotOptions) command(use, short string, work snapshotWork) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(strings.Count(use, " "))}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			o.at, o.name = phases.SplitSnapshot(args[0])
		}
		return o.do(cmd, work)
	}
	o.addMachine(cmd)
	return cmd
}

func (o *snapshotOptions) do(cmd *cobra.Command, work snapshotWork) error {
	out := newOutput(o.json, false)
	bundle, err := findBundle(o.bundle)
	if err != nil {
		return plan.Refused(err)
	}
	env, err := phases.OpenForSnapshots(o.root, bundle, out.report)
	if err != nil {
		return plan.Refused(err)
	}
	defer env.Close()
	env.Tell.Phase = cmd.Name()
	s, err := o.open(env)
	if err != nil {
		return plan.Refused(err)
	}
	all, err := work(cmd.Context(), env, s)
	if out.text != nil {
		out.text.end()
	}
	if err != nil {
		return err
	}
	return o.show(cmd, all)
}

// snapshotsObject is all of these commands' -o json.
type snapshotsObject struct {
	Schema    string           `json:"schema"`
	Snapshots []snapshot.Entry `json:"snapshots"`
}

// show prints archives, and how their trials ended.
func (o *snapshotOptions) show(cmd *cobra.Command, all []snapshot.Entry) error {
	if o.json {
		return printJSON(cmd.OutOrStdout(), snapshotsObject{outputVersion, all})
	}
	table := newTable(cmd.OutOrStdout(), "NAME\tAGE\tNODE\tREVISION\tSIZE\tKEYS\tPROVEN BY")
	for _, e := range all {
		keys := map[bool]string{true: "yes", false: "no"}[e.Meta.PKI]
		result, old := cmp.Or(string(e.Proof), "not tried"), "-"
		if !e.Meta.Time.IsZero() { // else it has no note
			old = age(time.Since(e.Meta.Time))
		}
		if e.Problem != "" {
			result = "BAD: " + shortened(e.Problem)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", printable(e.Name), old, printable(e.Meta.Node),
			e.Meta.Revision, humanize.IBytes(uint64(e.Size)), keys, printable(result))
	}
	return table.Flush()
}

func newSnapshotSaveCommand() *cobra.Command {
	var o snapshotOptions
	const short = "Save etcd's database, and all that a cluster is restored from, as one archive"
	cmd := o.command("save", short, func(ctx context.Context, env *phases.Env, s *phases.Snapshots) ([]snapshot.Entry, error) {
		if o.run.Every > 0 {
			return nil, env.RunScheduled(ctx, s, o.save, o.run)
		}
		entry, err := env.SaveSnapshot(ctx, s, o.save)
		return []snapshot.Entry{entry}, err
	})
	o.addPlace(cmd)
	o.addSave(cmd)
	o.addKeep(cmd)
	cmd.Flags().BoolVar(&o.save.Try, "verify", false, "try it before it counts, as verify --deep does")
	cmd.Flags().DurationVar(&o.run.Every, "scheduled", 0, "as the timer of schedule does, which comes so often: try it, and then prune")
	addOutputFlag(cmd, &o.json, "text, or json: one object")
	return cmd
}

func newSnapshotListCommand() *cobra.Command {
	var o snapshotOptions
	const short = "List the archives, and how their trials ended"
	cmd := o.command("list", short, func(ctx context.Context, _ *phases.Env, s *phases.Snapshots) ([]snapshot.Entry, error) {
		return s.List(ctx)
	})
	o.addPlace(cmd)
	addOutputFlag(cmd, &o.json, "text, or json: one object")
	return cmd
}

func newSnapshotVerifyCommand() *cobra.Command {
	var o snapshotOptions
	var deep, byAPIServer bool
	cmd := o.command("verify FILE", "Read an archive to its end, and try it", func(ctx context.Context, env *phases.Env, s *phases.Snapshots) ([]snapshot.Entry, error) {
		want := snapshot.Whole
		switch {
		case byAPIServer:
			want = snapshot.ByAPIServer
		case deep:
			want = snapshot.ByEtcd
		}
		entry, err := env.VerifySnapshot(ctx, s, o.name, want)
		return []snapshot.Entry{entry}, err
	})
	o.addIdentity(cmd)
	cmd.Flags().BoolVar(&deep, "deep", false, "restore it in a scratch folder, start etcd on it, and count its keys")
	cmd.Flags().BoolVar(&byAPIServer, "with-apiserver", false, "and have an API server list its Nodes")
	return cmd
}

func newSnapshotPruneCommand() *cobra.Command {
	var o snapshotOptions
	const short = "Remove old archives of this cluster, never the last one that is proven, and list those that went"
	cmd := o.command("prune", short, func(ctx context.Context, env *phases.Env, s *phases.Snapshots) ([]snapshot.Entry, error) {
		return env.Prune(ctx, s, o.run)
	})
	o.addPlace(cmd)
	o.addKeep(cmd)
	return cmd
}

func newSnapshotScheduleCommand() *cobra.Command {
	var o snapshotOptions
	var off bool
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Have a timer of systemd save, try and prune snapshots",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.run.Every < time.Minute {
				return wrongCall(cmd, fmt.Errorf("--every %s is under a minute", o.run.Every))
			}
			if off {
				o.run.Every = 0
			}
			return o.schedule(cmd.Context())
		},
	}
	o.addMachine(cmd)
	o.addPlace(cmd)
	o.addSave(cmd)
	o.addKeep(cmd)
	cmd.Flags().DurationVar(&o.run.Every, "every", 6*time.Hour, "how often")
	cmd.Flags().BoolVar(&off, "off", false, "end the schedule; the archives stay")
	addOutputFlag(cmd, &o.json, eventsAsJSON)
	return cmd
}

func (o *snapshotOptions) schedule(ctx context.Context) error {
	out := newOutput(o.json, false)
	env, err := phases.OpenMachine(o.root, false, out.report)
	if err != nil {
		return out.end(plan.Refused(err))
	}
	defer env.Close()
	todo, err := phases.ScheduleSnapshots(&env, o.at, o.save, o.run)
	if err != nil {
		return out.end(plan.Refused(err))
	}
	return out.end(todo.Run(ctx, phases.Open(env)))
}
