package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"bootstrap/phases"
	"bootstrap/phases/plan"
	"bootstrap/phases/state"
)

type restoreOptions struct {
	snapshotOptions
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
			if (len(args) == 0) != o.undo {
				return wrongCall(cmd, errors.New("it takes the file of an archive, or --undo"))
			}
			return o.run(cmd.Context(), first(args))
		},
	}
	o.addMachine(cmd)
	o.addIdentity(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.undo, "undo", false, "give up a restore that is under way, and go back to what was there before")
	f.BoolVar(&o.dryRun, "dry-run", false, "only show what would be lost and changed")
	f.BoolVarP(&o.force, "force", "f", false, "do not ask")
	addOutputFlag(cmd, &o.json, eventsAsJSON)
	return cmd
}

func (o restoreOptions) run(ctx context.Context, file string) error {
	out := newOutput(o.json, o.dryRun)
	env, err := phases.OpenMachine(o.root, o.dryRun, out.report)
	if err != nil {
		return out.end(plan.Refused(err))
	}
	defer env.Close()
	from, err := o.from(&env, file)
	if err != nil {
		return out.end(plan.Refused(err))
	}
	return out.end(phases.OpenRestore(ctx, env, from, func(opened *phases.Env, todo phases.Plan) error {
		if !o.dryRun && !o.force {
			if err := confirm(ctx, func() string { return "All that was written since then is lost" }); err != nil {
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

func (o restoreOptions) from(env *phases.Env, file string) (from phases.RestoreFrom, err error) {
	env.Built, env.Tell.Phase = builtAt(), "restore"
	if env.Bundle, err = findBundle(o.bundle); err != nil {
		return from, err
	}
	from = phases.RestoreFrom{Undo: o.undo, Machine: state.AsMade(env.Host, machineOf(env.Facts, env.Bundle))}
	if !o.undo {
		o.at, from.Name = phases.SplitSnapshot(file)
		from.Snapshots, err = o.open(env)
	}
	return from, err
}
