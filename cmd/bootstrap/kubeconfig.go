package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"bootstrap/phases"
)

func newKubeconfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Make kubeconfigs for people",
		RunE:  needsCommand,
	}
	cmd.AddCommand(newKubeconfigUserCommand())
	return cmd
}

type kubeconfigUserOptions struct {
	name         string
	groups       []string
	validity     time.Duration
	config, root string
}

func newKubeconfigUserCommand() *cobra.Command {
	var o kubeconfigUserOptions
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Print a new kubeconfig for a user, signed by the cluster's CA",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return wrongCall(cmd, err)
			}
			return usage(runKubeconfigUser(cmd.OutOrStdout(), o))
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.name, "client-name", "", "name of the user")
	f.StringSliceVar(&o.groups, "org", nil, "groups of the user")
	f.DurationVar(&o.validity, "validity-period", 0, "how long it is valid (default: certificateValidityPeriod of the config file, 8760h without)")
	f.StringVar(&o.config, "config", "", "config file (default: what the control plane of this machine was made by)")
	addRootFlag(f, &o.root)
	return cmd
}

func (o kubeconfigUserOptions) check() error {
	switch {
	case o.name == "":
		return errors.New("--client-name is missing")
	case o.validity < 0 || o.validity > 0 && o.validity < time.Minute:
		return fmt.Errorf("--validity-period %s is under a minute", o.validity)
	}
	return nil
}

func runKubeconfigUser(w io.Writer, o kubeconfigUserOptions) error {
	env, err := phases.OpenMachine(o.root, true, nil) // it only reads, and waits for nobody
	if err != nil {
		return err
	}
	defer env.Close()
	if o.config == "" {
		env.Config, err = env.State().RememberedConfig()
	}
	if err == nil && env.Config == nil {
		env.Config, err = configOf(o.config, o.root)
	}
	if err != nil {
		return err
	}
	data, err := env.UserKubeconfig(o.name, o.groups, o.validity)
	return printFile(w, data, err)
}
