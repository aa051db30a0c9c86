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
			b, err := findBundle("")
			if err != nil {
				return err
			}
			kubernetes := config.DefaultVersion
			if b != nil {
				defer b.Close()
				kubernetes = b.Index().Kubernetes
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "bootstrap %s (Kubernetes %s, %s, %s/%s)\n",
				version, kubernetes, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
