package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/podmanifest"
	"bootstrap/phases/spec"
	"bootstrap/phases/staticpods"
)

// staticPodOptions are those that the commands share.
type staticPodOptions struct {
	file      string
	namespace string
	timeout   time.Duration
	json      bool
	root      string
}

func newStaticPodCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "static-pod",
		Short: "Apply, show and remove static pods of this machine's kubelet",
		RunE:  needsCommand,
	}
	cmd.AddCommand(newStaticPodApplyCommand(), newStaticPodListCommand(), newStaticPodShowCommand(),
		newStaticPodDeleteCommand(), newStaticPodWaitCommand(), newStaticPodPathCommand())
	return cmd
}

func (o *staticPodOptions) addNamespaceFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.namespace, "namespace", "n", "default", "namespace of the pod")
}

// addWaitFlags are those of commands that wait, and tell meanwhile what they see.
func (o *staticPodOptions) addWaitFlags(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long to wait")
	addRootFlag(cmd.Flags(), &o.root)
	addOutputFlag(cmd, &o.json, eventsAsJSON)
}

func newStaticPodApplyCommand() *cobra.Command {
	var o staticPodOptions
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Have the kubelet run the Pod of a manifest, and wait until it runs",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return o.apply(cmd) },
	}
	cmd.Flags().StringVarP(&o.file, "filename", "f", "", "the manifest, YAML or JSON; - for standard input")
	_ = cmd.MarkFlagRequired("filename") // it is there
	o.addWaitFlags(cmd)
	return cmd
}

// source reads the manifest before anything else, so that a pipe is read as a whole.
func (o staticPodOptions) source(stdin io.Reader) (staticpods.PodSource, error) {
	if o.file == "-" {
		data, err := io.ReadAll(io.LimitReader(stdin, podmanifest.MaxSize+1))
		return staticpods.PodSource{Data: data}, err
	}
	f, err := os.Open(o.file)
	if err != nil {
		return staticpods.PodSource{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, podmanifest.MaxSize+1))
	return staticpods.PodSource{File: o.file, Data: data}, err
}

func (o staticPodOptions) apply(cmd *cobra.Command) error {
	source, err := o.source(cmd.InOrStdin())
	if err != nil {
		return usage(err)
	}
	return o.handle(cmd.Context(), false, func(ctx context.Context, pods *staticpods.Commander) (staticpods.Handled, string, error) {
		done, err := pods.Apply(ctx, source, o.timeout)
		if done.Changed {
			return done, "runs, from " + done.File, err
		}
		return done, fmt.Sprintf("runs, from %s: nothing to change, it was so already", done.File), err
	})
}

// handle runs a command that is about one pod, and shows how it goes.
func (o staticPodOptions) handle(ctx context.Context, looks bool, do func(context.Context, *staticpods.Commander) (staticpods.Handled, string, error)) error {
	out := newOutput(o.json, false)
	pods, err := o.open(looks, out.report)
	if err != nil {
		return out.end(usage(err), result{})
	}
	defer pods.Host.Close()
	done, text, err := do(ctx, pods)
	if err != nil {
		return out.end(err, result{})
	}
	out.say(fmt.Sprintf("%s/%s %s\n", done.Namespace, done.Name, text))
	return out.end(nil, result{Pod: &done})
}

// open takes a machine whose kubelet may be anybody's: no config of ours counts.
func (o staticPodOptions) open(looks bool, to func(plan.Event)) (*staticpods.Commander, error) {
	catalogue, err := diagnose.ReadCatalogue()
	if err != nil {
		return nil, err
	}
	h, facts, err := openMachine(o.root, looks)
	if err != nil {
		return nil, err
	}
	return staticpods.Open(observe.Observer{Spec: spec.Spec{Facts: facts}, Host: h, Catalogue: catalogue, Tell: plan.Teller{To: to}}), nil
}

func newStaticPodDeleteCommand() *cobra.Command {
	var o staticPodOptions
	cmd := &cobra.Command{
		Use:   "delete NAME",
		Short: "Remove a static pod's file, and wait until its containers are gone",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.handle(cmd.Context(), false, func(ctx context.Context, pods *staticpods.Commander) (staticpods.Handled, string, error) {
				done, err := pods.Delete(ctx, o.namespace, args[0], o.timeout)
				if done.Changed {
					return done, fmt.Sprintf("is gone: %s was removed", done.File), err
				}
				return done, "is gone", err
			})
		},
	}
	o.addNamespaceFlag(cmd)
	o.addWaitFlags(cmd)
	return cmd
}

func newStaticPodWaitCommand() *cobra.Command {
	var o staticPodOptions
	cmd := &cobra.Command{
		Use:   "wait NAME",
		Short: "Wait until a static pod runs, or say why it does not",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.handle(cmd.Context(), true, func(ctx context.Context, pods *staticpods.Commander) (staticpods.Handled, string, error) {
				done, err := pods.WaitFor(ctx, o.namespace, args[0], o.timeout)
				return done, "runs", err
			})
		},
	}
	o.addNamespaceFlag(cmd)
	o.addWaitFlags(cmd)
	return cmd
}

func newStaticPodPathCommand() *cobra.Command {
	var o staticPodOptions
	cmd := &cobra.Command{
		Use:   "path",
		Short: "Show where the kubelet looks for static pods, and what says so",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return usage(o.path(cmd)) },
	}
	addOutputFlag(cmd, &o.json, "text, or json: one object")
	addRootFlag(cmd.Flags(), &o.root)
	return cmd
}

// pathObject is all of static-pod path -o json.
type pathObject struct {
	Schema string `json:"schema"`
	observe.KubeletFound
}

// look opens this machine to read only.
func (o staticPodOptions) look(do func(*staticpods.Commander) error) error {
	pods, err := o.open(true, nil)
	if err != nil {
		return err
	}
	defer pods.Host.Close()
	return do(pods)
}

func (o staticPodOptions) path(cmd *cobra.Command) error {
	return o.look(func(pods *staticpods.Commander) error {
		k, err := pods.FindKubelet(cmd.Context())
		if err != nil {
			return err
		}
		if o.json {
			err = printJSON(cmd.OutOrStdout(), pathObject{outputVersion, k})
		} else {
			err = printPath(cmd, k)
		}
		return errors.Join(err, k.CheckPath())
	})
}

// printPath puts the path alone on standard output, for scripts.
func printPath(cmd *cobra.Command, k observe.KubeletFound) error {
	w := cmd.ErrOrStderr()
	for _, warning := range k.Warnings {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	if k.StaticPodPath == "" {
		return nil
	}
	fmt.Fprintf(w, "by %s\n", k.From)
	for _, other := range k.Overridden {
		fmt.Fprintf(w, "over %s\n", other)
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), filepath.Clean(k.StaticPodPath))
	return err
}
