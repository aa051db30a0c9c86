package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

const exitCodes = `Exit codes:
  0    done
  1    a phase failed, the machine may be changed: run it again, or reset
  2    usage, config file or preflight: nothing was changed
  130  interrupted (SIGINT); 143 for SIGTERM, 129 for SIGHUP`

func newRootCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Make this machine a Kubernetes control plane, and undo it",
		Long: `bootstrap turns a fresh systemd Linux machine into a Kubernetes control plane,
from one file and without a network, and takes every trace of it away again. With
--standalone it makes only a kubelet that runs static pods, without an API server.

  sudo bootstrap preflight  check the machine
  sudo bootstrap init       make the control plane
  sudo bootstrap status     how it is
  sudo bootstrap ledger     what it did
  sudo bootstrap reset      undo it

` + exitCodes,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs, // else cobra itself refuses them, and that is no usage error
		RunE:          needsCommand,
	}
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usage(&helpError{err, c}) })
	cmd.AddCommand(newPreflightCommand(), newInitCommand(), newResetCommand(), newLedgerCommand(), newConfigCommand(), newTokenCommand(), newKubeconfigCommand(),
		newStatusCommand(), newPodsCommand(), newStaticPodCommand(), newBundleCommand(), newCompletionCommand(), newVersionCommand(),
		newExplainCommand(), newSupportCommand(), newOutputTopic(), newCausesTopic(), newStaticPodsTopic())
	completeFlags(cmd)
	cmd.CompletionOptions.DisableDefaultCmd = true // ours stands in its place
	return cmd
}

// helpError is an error in how a command was called. Its hint is where that is explained.
type helpError struct {
	error
	cmd *cobra.Command
}

// Hint is what the user can do.
func (e *helpError) Hint() string { return "see: " + e.cmd.CommandPath() + " --help" }

// Unwrap gives the error without its hint.
func (e *helpError) Unwrap() error { return e.error }

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usage(&helpError{fmt.Errorf("%s takes no argument, got %q", cmd.CommandPath(), args[0]), cmd})
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
	return usage(&helpError{err, cmd})
}
