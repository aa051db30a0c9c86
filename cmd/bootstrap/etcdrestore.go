package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"bootstrap/phases"
	"bootstrap/phases/plan"
	"bootstrap/phases/state"
)

type restoreOptions struct {
	snapshotOptions
	file          string
	undo          bool
	dryRun, force bool
}

func newEtcdRestoreCommand() *cobra.Command {
	var o restoreOptions
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make this machine's cluster what an archive holds, also on a bare machine",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.file = first(args)
			if (o.file == "") != o.undo {
				return wrongCall(cmd, errors.New("it takes the file of an archive, or --undo"))
			}
			return o.run(cmd.Context())
		},
	}
	o.addBucket(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.undo, "undo", false, "give up a restore that is under way, or go back to the data of before the last one")
	f.BoolVar(&o.dryRun, "dry-run", false, "only show what would be lost and changed")
	f.BoolVarP(&o.force, "force", "f", false, "do not ask")
	f.StringVar(&o.identity, "identity", "", "file of age with the key that the archive was encrypted to")
	addOutputFlag(cmd, &o.json, eventsAsJSON)
	return cmd
}

func (o restoreOptions) run(ctx context.Context) error {
	out := newOutput(o.json, o.dryRun)
	env, from, err := o.open(out.report)
	if err != nil {
		return out.end(plan.Refused(err))
	}
	defer env.Close()
	return out.end(phases.OpenRestore(ctx, env, from, func(opened *phases.Env, todo phases.Plan) error {
		if !o.dryRun && !o.force {
			if err := confirmRestore(ctx); err != nil {
				return plan.Refused(err)
			}
		}
		if err := todo.Run(ctx, opened); err != nil || o.dryRun {
			return err
		}
		out.say(fmt.Sprintf("\nThe cluster is what the archive held, after %s.\n", out.elapsed()))
		return errors.Join(opened.State().RememberDone(), opened.Host.End())
	}))
}

func (o restoreOptions) open(to func(plan.Event)) (env phases.Env, from phases.RestoreFrom, err error) {
	if env, err = phases.NewEnv(o.root, to); err != nil {
		return env, from, err
	}
	env.Built, env.Tell.Phase = builtAt(), "restore"
	if env.Bundle, err = findBundle(o.bundle); err != nil {
		return env, from, err
	}
	if env.Host, err = phases.OpenHost(o.root, o.dryRun); err != nil {
		return env, from, err
	}
	from = phases.RestoreFrom{Undo: o.undo, Machine: machineOf(env.Facts, env.Bundle)}
	from.Machine = state.AsMade(env.Host, from.Machine)
	if o.undo {
		return env, from, nil
	}
	if from.Identities, err = o.identities(); err != nil {
		return env, from, err
	}
	o.at, from.Name = phases.SplitSnapshot(o.file)
	from.Snapshots, err = env.OpenSnapshots(o.at, o.bucket)
	return env, from, err
}

func confirmRestore(ctx context.Context) error {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return errors.New("not confirmed, nothing was changed: no terminal to ask at; use --force")
	}
	fmt.Print("All that was written since then is lost. Go on? [y/N] ")
	answer, err := readLine(ctx)
	if err == nil && !strings.EqualFold(answer, "y") {
		return errors.New("not confirmed, nothing was changed")
	}
	return err
}
