package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"bootstrap/phases/config"
)

// Set by the Makefile: the version, and when its commit was made, as in RFC 3339.
var (
	version = "devel"
	built   = ""
)

// builtAt is zero for a program that was built without the Makefile.
func builtAt() time.Time {
	at, _ := time.Parse(time.RFC3339, built)
	return at
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of bootstrap and of the Kubernetes that it makes",
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

// addVersionFlag lets bootstrap --version say what bootstrap version does: cobra's own flag knows no bundle.
func addVersionFlag(root *cobra.Command) {
	asked, run := root.Flags().Bool("version", false, "as the command version"), root.RunE
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if *asked && len(args) == 0 {
			return newVersionCommand().RunE(cmd, nil)
		}
		return run(cmd, args)
	}
}
