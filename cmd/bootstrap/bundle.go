package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"bootstrap/phases"
	"bootstrap/phases/bundle"
)

func newBundleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Build, inspect and verify bundles for machines without a network",
		Long: `Build, inspect and verify bundles: one tar.zst with all programs, CNI plugins and
images of a control plane. init looks for a bundle at --bundle, inside its own
executable, beside it as bundle.tar.zst, and in /usr/local/share/bootstrap.`,
		RunE: needsCommand,
	}
	cmd.AddCommand(newBundleBuildCommand(), newBundleBoxCommand(), newBundleInspectCommand(), newBundleVerifyCommand())
	return cmd
}

type bundleBuildOptions struct {
	from, arch, output string
}

func newBundleBuildCommand() *cobra.Command {
	var o bundleBuildOptions
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build a bundle from a folder of programs",
		Long: `Build a bundle from a folder that has one folder per component (kubernetes, etcd,
containerd, runc, cni, cni-install, flannel, coredns, pause), each with its static
programs and a file VERSION, and netfilter/root with nft and iptables and what these
need, as a tree of files; that of kubernetes also holds bootstrap-policy.yaml, the roles that its API
server makes. Images are made from the programs. Same input, same bytes.`,
		Example: "  bootstrap bundle build --from .cache/components --output bundle.tar.zst",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.from == "" {
				return usage(&helpError{errors.New("--from is missing"), cmd})
			}
			return runBundleBuild(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.from, "from", "", "folder of programs")
	cmd.Flags().StringVar(&o.arch, "arch", runtime.GOARCH, "architecture of the programs, as Go names it")
	cmd.Flags().StringVarP(&o.output, "output", "o", "bundle.tar.zst", "file to write")
	return cmd
}

func runBundleBuild(ctx context.Context, o bundleBuildOptions) error {
	kubernetes, sources, err := phases.BundleSources(o.from)
	if err != nil {
		return usage(err)
	}
	return writeWhole(o.output, 0o644, func(w io.Writer) error {
		_, err := bundle.Build(ctx, w, bundle.Index{Kubernetes: kubernetes, Arch: o.arch}, sources)
		return err
	})
}

// writeWhole writes a file that appears only when all of it is there.
func writeWhole(path string, mode fs.FileMode, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".bootstrap-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func newBundleBoxCommand() *cobra.Command {
	var from, output string
	cmd := &cobra.Command{
		Use:     "box",
		Short:   "Write a copy of this executable with a bundle inside",
		Example: "  bootstrap bundle box --bundle bundle.tar.zst --output bootstrap-box",
		Args:    noArgs,
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
		Use:     "inspect [FILE]",
		Short:   "List what a bundle holds, with versions, sizes and hashes",
		Example: "  bootstrap bundle inspect bundle.tar.zst",
		Args:    atMostOneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withBundle(cmd, first(args), func(b *bundle.Bundle) error { return inspect(cmd.OutOrStdout(), b) })
		},
	}
}

func inspect(out io.Writer, b *bundle.Bundle) error {
	index := b.Index()
	fmt.Fprintf(out, "%s: Kubernetes %s for %s, %d entries\n\n", b.Path(), index.Kubernetes, index.Arch, len(index.Entries))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\tNAME\tVERSION\tSIZE\tPACKED\tSHA256")
	for _, e := range index.Entries {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", e.Kind, e.Name, e.Version, e.Size, e.Packed, e.SHA256)
	}
	return w.Flush()
}

func newBundleVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "verify [FILE]",
		Short:   "Check every byte of a bundle against its index; nothing is written",
		Example: "  bootstrap bundle verify bundle.tar.zst",
		Args:    atMostOneArg,
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
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	b, err := bundle.Find(path, executable)
	if errors.Is(err, bundle.ErrNone) {
		return usage(&helpError{err, cmd})
	}
	if err != nil {
		return usage(err)
	}
	defer b.Close()
	return do(b)
}

func atMostOneArg(cmd *cobra.Command, args []string) error {
	if len(args) <= 1 {
		return nil
	}
	return usage(&helpError{fmt.Errorf("%s takes one argument at most, got %d", cmd.CommandPath(), len(args)), cmd})
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
