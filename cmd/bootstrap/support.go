package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"bootstrap/phases"
	"bootstrap/phases/bundle"
	"bootstrap/phases/plan"
	"bootstrap/phases/support"
)

type supportOptions struct {
	file   string
	config string
	root   string
}

func newSupportCommand() *cobra.Command {
	var o supportOptions
	cmd := &cobra.Command{
		Use:   "support",
		Short: "Write an archive that helps others to see what is wrong, without secrets",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSupport(cmd.Context(), cmd.OutOrStdout(), o)
		},
	}
	cmd.Flags().StringVar(&o.file, "output-file", "", "file to write (default: bootstrap-support-HOST-TIME.tar.gz in the current directory)")
	cmd.Flags().StringVar(&o.config, "config", "", "config file to judge by (default: what init kept of the one that it was given)")
	addRootFlag(cmd.Flags(), &o.root)
	return cmd
}

func runSupport(ctx context.Context, w io.Writer, o supportOptions) error {
	env, request, err := o.env(ctx, func(e plan.Event) { fmt.Fprintf(w, "%-20s %s\n", e.Phase, shown(e.Message)) })
	if err != nil {
		return plan.Refused(err)
	}
	defer env.Close()
	if o.file == "" {
		o.file = request.Name + ".tar.gz"
	}
	var report support.Report
	err = bundle.WriteWhole(o.file, 0o600, func(archive io.Writer) error {
		report, err = support.Write(ctx, &env.Observer, request, archive)
		return err
	})
	if err != nil {
		return err
	}
	return printSupport(w, o.file, report)
}

// env is that of init. Where there can be none, as without an address, the archive has
// what needs no config.
func (o supportOptions) env(ctx context.Context, to func(plan.Event)) (*phases.Env, support.Request, error) {
	request := support.Request{Version: version}
	init := initOptions{config: o.config, root: o.root, dryRun: true}
	env, err := init.env(ctx, to)
	if errors.Is(err, phases.ErrNotRoot) {
		return nil, request, err
	}
	if err != nil {
		request.NoConfig = err
		known, _ := phases.NewEnv(o.root, to) // NoConfig says what of it is missing
		if known.Host, err = phases.OpenHost(o.root, true); err != nil {
			return nil, request, err
		}
		env = phases.Open(known)
	}
	if o.config != "" {
		request.Config, _ = os.ReadFile(o.config) // else NoConfig says why
	}
	hostname := notInFileNames.ReplaceAllString(cmp.Or(env.Facts.Hostname, "unnamed"), "-")
	request.Name = "bootstrap-support-" + hostname + "-" + time.Now().UTC().Format("20060102T150405Z")
	return env, request, nil
}

var notInFileNames = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

func printSupport(w io.Writer, file string, r support.Report) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	cut := 0
	for _, f := range r.Files {
		if f.Cut {
			cut++
		}
	}
	_, err = fmt.Fprintf(w, `
%s: %d files, %d kB

Left out: keys, kubeconfigs, Secrets, the data of etcd. In %d places a secret, or what
looks like one, was taken out. Of %d files there is only the end; %d things could not
be read: see MANIFEST.json in it.

Look at it before you send it: tar xzf %s
`, file, len(r.Files)+1, (info.Size()+999)/1000, r.Redacted, cut, len(r.Unread), file)
	return err
}
