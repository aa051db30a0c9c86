package main

import (
	"context"
	"errors"
	"fmt"
	"os"
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
	return newGroup("snapshot", "Save snapshots of etcd, and prove that they can be restored",
		newSnapshotSaveCommand(), newSnapshotListCommand(), newSnapshotVerifyCommand(), newSnapshotPruneCommand(),
		newSnapshotScheduleCommand(), newSnapshotStatusCommand())
}

// snapshotOptions are the flags that several of these commands have.
type snapshotOptions struct {
	at, bundle, root string
	identity         string
	json             bool
	keep, days       int
	save             phases.Save
}

func (o *snapshotOptions) addMachine(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.bundle, "bundle", "", "bundle to take programs from (default: found as init does, else the images on this machine)")
	addRootFlag(cmd.Flags(), &o.root)
}

func (o *snapshotOptions) addPlace(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.at, "to", spec.SnapshotDir, "where the archives lie: a folder, or s3://BUCKET/FOLDER, which "+spec.SnapshotBucket+" says how to reach")
	o.addMachine(cmd)
}

func (o *snapshotOptions) addIdentity(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.identity, "identity", "", "file of age with the key that the archive was encrypted to")
}

func (o *snapshotOptions) addSave(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.save.EncryptTo, "encrypt-to", "", "recipient of age (age1...) that the archive is encrypted to")
	cmd.Flags().BoolVar(&o.save.WithoutPKI, "without-pki", false, "leave out the cluster's CAs and keys, also those of Secrets' encryption, which are kept elsewhere then")
}

func (o *snapshotOptions) addKeep(cmd *cobra.Command) {
	cmd.Flags().IntVar(&o.keep, "keep", 12, "how many of the newest archives stay")
	cmd.Flags().IntVar(&o.days, "keep-daily", 7, "of how many days the newest one stays as well")
}

// identities reads the keys of --identity.
func (o *snapshotOptions) identities() ([]byte, error) {
	if o.identity == "" {
		return nil, nil
	}
	data, err := os.ReadFile(o.identity)
	if err != nil {
		err = fmt.Errorf("--identity: %w", err)
	}
	return data, err
}

// with opens this machine beside whoever works on it, and the folder or bucket.
func (o *snapshotOptions) with(cmd *cobra.Command, do func(*phases.Env, *phases.Snapshots) error) error {
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
	if out.text != nil {
		defer out.text.end()
	}
	env.Tell.Phase = cmd.Name()
	s, err := env.OpenSnapshots(o.at)
	if err != nil {
		return plan.Refused(err)
	}
	return do(env, s)
}

func newSnapshotSaveCommand() *cobra.Command {
	var o snapshotOptions
	var run phases.Scheduled
	cmd := &cobra.Command{
		Use:   "save",
		Short: "Save etcd's database, and all that a cluster is restored from, as one archive",
		RunE: func(cmd *cobra.Command, _ []string) error {
			run.Keep, run.Days = o.keep, o.days
			return o.with(cmd, func(env *phases.Env, s *phases.Snapshots) error {
				if run.Every > 0 {
					return env.RunScheduled(cmd.Context(), s, o.save, run)
				}
				entry, err := env.SaveSnapshot(cmd.Context(), s, o.save)
				if err != nil {
					return err
				}
				return o.show(cmd, entry)
			})
		},
	}
	o.addPlace(cmd)
	o.addSave(cmd)
	o.addKeep(cmd)
	cmd.Flags().BoolVar(&o.save.Try, "verify", false, "try it before it counts, as verify --deep does")
	cmd.Flags().DurationVar(&run.Every, "scheduled", 0, "as the timer of schedule does, which comes so often: try it, and then prune")
	addOutputFlag(cmd, &o.json, "text, or json: one object")
	return cmd
}

// entryObject is all of these commands' -o json.
type entryObject struct {
	Schema    string           `json:"schema"`
	Snapshots []snapshot.Entry `json:"snapshots"`
}

// show prints archives, and how their trials ended.
func (o *snapshotOptions) show(cmd *cobra.Command, all ...snapshot.Entry) error {
	if o.json {
		return printJSON(cmd.OutOrStdout(), entryObject{outputVersion, all})
	}
	table := newTable(cmd.OutOrStdout(), "NAME\tAGE\tNODE\tREVISION\tSIZE\tKEYS\tRESULT")
	for _, e := range all {
		keys := "no"
		if e.Meta.PKI {
			keys = "yes"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", printable(e.Name), age(time.Since(snapshot.TimeOf(e.Name))), printable(e.Meta.Node),
			e.Meta.Revision, humanize.IBytes(uint64(e.Size)), keys, verifiedText(e))
	}
	return table.Flush()
}

func verifiedText(e snapshot.Entry) string {
	switch v := e.Verified; {
	case e.Problem != "":
		return "does not count: " + e.Problem
	case v == nil:
		return "not tried"
	case v.Error != "":
		return "BAD: " + shortened(v.Error)
	case v.APIServer:
		return "proven by etcd and an API server"
	case v.Deep:
		return "proven by etcd"
	}
	return "whole"
}

func newSnapshotListCommand() *cobra.Command {
	var o snapshotOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the archives, and how their trials ended",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.with(cmd, func(_ *phases.Env, s *phases.Snapshots) error {
				all, err := s.List(cmd.Context())
				return errors.Join(err, o.show(cmd, all...))
			})
		},
	}
	o.addPlace(cmd)
	addOutputFlag(cmd, &o.json, "text, or json: one object")
	return cmd
}

func newSnapshotVerifyCommand() *cobra.Command {
	var o snapshotOptions
	var v phases.Verify
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Read an archive to its end, and try it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			var name string
			o.at, name = phases.SplitSnapshot(args[0])
			v.Deep = v.Deep || v.APIServer
			if v.Identities, err = o.identities(); err != nil {
				return plan.Refused(err)
			}
			return o.with(cmd, func(env *phases.Env, s *phases.Snapshots) error {
				entry, err := env.VerifySnapshot(cmd.Context(), s, name, v)
				if err != nil {
					return err
				}
				return o.show(cmd, entry)
			})
		},
	}
	o.addMachine(cmd)
	o.addIdentity(cmd)
	cmd.Flags().BoolVar(&v.Deep, "deep", false, "restore it in a scratch folder, start etcd on it, and count its keys")
	cmd.Flags().BoolVar(&v.APIServer, "with-apiserver", false, "and have an API server list its Nodes")
	return cmd
}

func newSnapshotPruneCommand() *cobra.Command {
	var o snapshotOptions
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove old archives of this cluster, never the last one that is proven",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.with(cmd, func(env *phases.Env, s *phases.Snapshots) error {
				gone, err := env.Prune(cmd.Context(), s, o.keep, o.days)
				for _, e := range gone {
					fmt.Fprintf(cmd.OutOrStdout(), "%s/%s removed\n", s.At, e.Name)
				}
				return err
			})
		},
	}
	o.addPlace(cmd)
	o.addKeep(cmd)
	return cmd
}

func newSnapshotScheduleCommand() *cobra.Command {
	var o snapshotOptions
	var s phases.Schedule
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Have a timer of systemd save, try and prune snapshots",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.Every < time.Minute {
				return wrongCall(cmd, fmt.Errorf("--every %s is under a minute", s.Every))
			}
			s.At, s.Save = o.at, o.save
			s.Args = []string{
				"--to=" + o.at, "--encrypt-to=" + o.save.EncryptTo, fmt.Sprintf("--without-pki=%t", o.save.WithoutPKI),
				fmt.Sprintf("--keep=%d", o.keep), fmt.Sprintf("--keep-daily=%d", o.days),
			}
			return o.schedule(cmd.Context(), s, dryRun)
		},
	}
	o.addPlace(cmd)
	o.addSave(cmd)
	o.addKeep(cmd)
	cmd.Flags().DurationVar(&s.Every, "every", 6*time.Hour, "how often")
	cmd.Flags().BoolVar(&s.Off, "off", false, "end the schedule; the archives stay")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would be changed")
	addOutputFlag(cmd, &o.json, eventsAsJSON)
	return cmd
}

func (o *snapshotOptions) schedule(ctx context.Context, s phases.Schedule, dryRun bool) error {
	out := newOutput(o.json, dryRun)
	env, err := phases.OpenMachine(o.root, dryRun, out.report)
	if err != nil {
		return out.end(plan.Refused(err))
	}
	defer env.Close()
	todo, err := phases.ScheduleSnapshots(&env, s)
	if err != nil {
		return out.end(plan.Refused(err))
	}
	return out.end(todo.Run(ctx, phases.Open(env)))
}

func newSnapshotStatusCommand() *cobra.Command {
	cmd := newStatusCommand()
	cmd.Short = "Show how the schedule of snapshots goes, with all of status"
	return cmd
}
