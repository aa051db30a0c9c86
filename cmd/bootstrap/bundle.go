package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"bootstrap/phases/bundle"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

func newBundleCommand() *cobra.Command {
	return newGroup("bundle", "Build, inspect and verify bundles for machines without a network",
		newBundleBuildCommand(), newBundleBoxCommand(), newBundleInspectCommand(), newBundleVerifyCommand())
}

func newBundleBuildCommand() *cobra.Command {
	var from, arch, output string
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build a bundle from a folder of programs",
		RunE: func(cmd *cobra.Command, _ []string) error {
			kubernetes, sources, err := spec.BundleSources(from)
			if err != nil {
				return plan.Refused(err)
			}
			return bundle.WriteWhole(output, 0o644, func(w io.Writer) error {
				_, err := bundle.Build(cmd.Context(), w, bundle.Index{Kubernetes: kubernetes, Arch: arch}, sources)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "folder of programs")
	_ = cmd.MarkFlagRequired("from") // it is there
	cmd.Flags().StringVar(&arch, "arch", runtime.GOARCH, "architecture of the programs, as Go names it")
	cmd.Flags().StringVarP(&output, "output", "o", "bundle.tar.zst", "file to write")
	return cmd
}

func newBundleBoxCommand() *cobra.Command {
	var from, output string
	cmd := &cobra.Command{
		Use:   "box",
		Short: "Write a copy of this executable with a bundle inside",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withBundle(cmd, from, func(b *bundle.Bundle) error {
				executable, err := os.Executable()
				if err != nil {
					return err
				}
				return bundle.Attach(cmd.Context(), executable, b, output)
			})
		},
	}
	cmd.Flags().StringVar(&from, "bundle", "", "bundle to put inside (default: found as init does)")
	cmd.Flags().StringVarP(&output, "output", "o", "bootstrap-box", "file to write")
	return cmd
}

func newBundleInspectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect [FILE]",
		Short: "List what a bundle holds, with versions, sizes and hashes",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withBundle(cmd, first(args), func(b *bundle.Bundle) error { return inspect(cmd.OutOrStdout(), b) })
		},
	}
}

func inspect(out io.Writer, b *bundle.Bundle) error {
	index := b.Index()
	fmt.Fprintf(out, "%s: Kubernetes %s for %s, %d entries\n\n", b.Path(), index.Kubernetes, index.Arch, len(index.Entries))
	w := newTable(out, "KIND\tNAME\tVERSION\tSIZE\tPACKED\tSHA256")
	for _, e := range index.Entries {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", e.Kind, e.Name, e.Version, e.Size, e.Packed, e.SHA256)
	}
	return w.Flush()
}

func newBundleVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Check every byte of a bundle against its index; nothing is written",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withBundle(cmd, first(args), func(b *bundle.Bundle) error {
				if err := b.Verify(cmd.Context()); err != nil {
					return fmt.Errorf("%s: %w", b.Path(), err)
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %d entries, all as the index says\n", b.Path(), len(b.Index().Entries))
				return err
			})
		},
	}
}

func withBundle(cmd *cobra.Command, path string, do func(*bundle.Bundle) error) error {
	b, err := findBundle(path)
	if err != nil {
		return plan.Refused(err)
	}
	if b == nil {
		return wrongCall(cmd, bundle.ErrNone)
	}
	defer b.Close()
	return do(b)
}

// findBundle gives nil without one.
func findBundle(path string) (*bundle.Bundle, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b, err := bundle.Find(path, executable)
	if errors.Is(err, bundle.ErrNone) {
		return nil, nil
	}
	return b, err
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
