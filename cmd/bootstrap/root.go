package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"bootstrap/phases"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
)

// newRootCommand is the command line. An error is of the texts that are built in.
func newRootCommand() (*cobra.Command, error) {
	cmd := newGroup("bootstrap", "Make this machine a Kubernetes control plane, and undo it",
		newPreflightCommand(), newInitCommand(), newResetCommand(), newLedgerCommand(), newConfigCommand(), newTokenCommand(),
		newKubeconfigCommand(), newStatusCommand(), newPodsCommand(), newStaticPodCommand(), newBundleCommand(),
		newEtcdCommand(), newCompletionCommand(), newVersionCommand(), newExplainCommand(), newSupportCommand())
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetFlagErrorFunc(wrongCall)
	addVersionFlag(cmd)
	topics, err := newTopics()
	cmd.AddCommand(topics...)
	completeFlags(cmd)
	checkCalls(cmd)
	cmd.CompletionOptions.DisableDefaultCmd = true // ours stands in its place
	return cmd, errors.Join(err, describe(cmd))
}

// newGroup is a command that only holds others.
func newGroup(use, short string, commands ...*cobra.Command) *cobra.Command {
	// All arguments are let pass here: cobra itself would refuse them, and that is no usage error.
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: needsCommand}
	cmd.AddCommand(commands...)
	return cmd
}

func addRootFlag(f *pflag.FlagSet, root *string) {
	f.StringVar(root, "root", "/", "directory that stands for this machine's root")
}

// newLookCommand is a command that only shows something: it opens this machine to read alone.
func newLookCommand(use, short, formats string, show func(*cobra.Command, observe.Observer, bool) error) *cobra.Command {
	var asJSON bool
	var root string
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		RunE: func(cmd *cobra.Command, _ []string) error {
			env, err := phases.OpenMachine(root, true, nil)
			if err != nil {
				return plan.Refused(err)
			}
			defer env.Close()
			return plan.Refused(show(cmd, env.Observer, asJSON))
		},
	}
	addOutputFlag(cmd, &asJSON, formats)
	addRootFlag(cmd.Flags(), &root)
	return cmd
}

// wrongCall is an error in how a command was called, or nil. Its hint is where that is explained.
func wrongCall(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return plan.Refused(plan.Hint(err, "see: %s --help", cmd.CommandPath()))
}

// checkCalls has what cobra finds wrong with a call of cmd, or of a command below it, end as
// an error of usage. Commands take no arguments, unless they say so.
func checkCalls(cmd *cobra.Command) {
	for _, each := range all(cmd) {
		check := each.Args
		if check == nil {
			check = cobra.NoArgs
		}
		each.Args = func(cmd *cobra.Command, args []string) error {
			return wrongCall(cmd, cmp.Or(check(cmd, args), cmd.ValidateRequiredFlags()))
		}
	}
}

// needsCommand is what a command does that only holds others.
func needsCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	err := fmt.Errorf("unknown command %q for %s", args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2 // letters; cobra's own default is not set yet
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		err = fmt.Errorf("%w, did you mean %q?", err, near[0])
	}
	return wrongCall(cmd, err)
}
