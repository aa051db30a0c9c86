package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func newRootCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Make this machine a Kubernetes control plane, and undo it",
		Long: `bootstrap turns a fresh systemd Linux machine into a Kubernetes control plane,
from one file and without a network, and takes every trace of it away again.

  sudo bootstrap init      make the control plane
  sudo bootstrap reset     undo it

Exit codes:
  0    done
  1    a phase failed, the machine may be changed: run it again, or reset
  2    usage, config file or preflight: nothing was changed
  130  interrupted (SIGINT); 143 for SIGTERM`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w; see: %s --help", err, c.CommandPath()))
	})
	cmd.AddCommand(newInitCommand(), newResetCommand(), newBundleCommand(), newVersionCommand())
	return cmd
}

// noArgs is cobra.NoArgs as a usage error.
func noArgs(cmd *cobra.Command, args []string) error { return usage(cobra.NoArgs(cmd, args)) }

// needsCommand is what a command does that only holds others.
func needsCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(fmt.Errorf("unknown command %q; see: %s --help", args[0], cmd.CommandPath()))
	}
	return errors.Join(cmd.Help())
}
