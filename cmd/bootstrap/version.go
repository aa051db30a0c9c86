package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"bootstrap/phases/config"
)

// version is set by the Makefile.
var version = "devel"

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of bootstrap and of the Kubernetes that it makes",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "bootstrap %s (Kubernetes %s, %s, %s/%s)\n",
				version, config.DefaultVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
