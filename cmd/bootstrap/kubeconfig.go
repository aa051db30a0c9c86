package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"bootstrap/phases"
	"bootstrap/phases/plan"
)

func newKubeconfigCommand() *cobra.Command {
	return newGroup("kubeconfig", "Make kubeconfigs for people", newKubeconfigUserCommand())
}

func newKubeconfigUserCommand() *cobra.Command {
	var user phases.KubeconfigUser
	var config, root string
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Print a new kubeconfig for a user, signed by the cluster's CA",
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case user.Name == "":
				return wrongCall(cmd, errors.New("--client-name is missing"))
			case user.Validity != 0 && user.Validity < time.Minute:
				return wrongCall(cmd, fmt.Errorf("--validity-period %s is under a minute", user.Validity))
			}
			return plan.Refused(printUserKubeconfig(cmd.OutOrStdout(), user, config, root))
		},
	}
	f := cmd.Flags()
	f.StringVar(&user.Name, "client-name", "", "name of the user")
	f.StringSliceVar(&user.Groups, "org", nil, "groups of the user")
	f.DurationVar(&user.Validity, "validity-period", 0, "how long it is valid (default: certificateValidityPeriod of the config file, 8760h without)")
	f.StringVar(&config, "config", "", "config file (default: what the control plane of this machine was made by)")
	addRootFlag(f, &root)
	return cmd
}

func printUserKubeconfig(w io.Writer, user phases.KubeconfigUser, config, root string) error {
	env, err := phases.OpenMachine(root, true, nil) // it only reads, and waits for nobody
	if err != nil {
		return err
	}
	defer env.Close()
	if config == "" {
		env.Config, err = env.State().RememberedConfig()
	}
	if err == nil && env.Config == nil {
		env.Config, err = configOf(config, root)
	}
	if err != nil {
		return err
	}
	data, err := env.UserKubeconfig(user)
	return printFile(w, data, err)
}
