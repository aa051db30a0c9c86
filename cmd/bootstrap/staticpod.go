package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"bootstrap/phases"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
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
	return newGroup("static-pod", "Apply, show and remove static pods of this machine's kubelet",
		newStaticPodApplyCommand(), newStaticPodShowCommand(),
		newLookCommand("list", "List static pods: file, hash, state, restarts and mirror pod",
			"text, or json: one object with all static pods", showStaticPods),
		newNamedPodCommand("delete NAME", "Remove a static pod's file, and wait until its containers are gone",
			"is gone, as is %s", false, (*staticpods.Commander).Delete),
		newNamedPodCommand("wait NAME", "Wait until a static pod runs, or say why it does not",
			"runs, from %s", true, (*staticpods.Commander).WaitFor),
		newLookCommand("path", "Show where the kubelet looks for static pods, and what says so",
			"text, or json: one object", showPath))
}

func addNamespaceFlag(cmd *cobra.Command, namespace *string) {
	cmd.Flags().StringVarP(namespace, "namespace", "n", "default", "namespace of the pod")
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
		RunE:  func(cmd *cobra.Command, _ []string) error { return o.apply(cmd) },
	}
	cmd.Flags().StringVarP(&o.file, "filename", "f", "", "the manifest, YAML or JSON; - for standard input")
	_ = cmd.MarkFlagRequired("filename") // it is there
	o.addWaitFlags(cmd)
	return cmd
}

func (o staticPodOptions) apply(cmd *cobra.Command) error {
	data, err := readInput(o.file) // before anything else, so that a pipe is read as a whole
	if err != nil {
		return plan.Refused(err)
	}
	source := staticpods.PodSource{File: o.file, Data: data}
	if o.file == "-" {
		source.File = ""
	}
	return o.handle("runs, from %s", false, func(pods *staticpods.Commander) (staticpods.Handled, error) {
		return pods.Apply(cmd.Context(), source, o.timeout)
	})
}

// handle runs a command that is about one pod, and shows how it goes. ends says how the pod
// is when all went well, with %s for its file.
func (o staticPodOptions) handle(ends string, looks bool, do func(*staticpods.Commander) (staticpods.Handled, error)) error {
	out := newOutput(o.json, false)
	env, err := phases.OpenMachine(o.root, looks, out.report)
	if err != nil {
		return out.end(plan.Refused(err))
	}
	defer env.Close()
	done, err := do(staticpods.Open(env.Observer))
	if err != nil {
		return out.end(err)
	}
	if !done.Changed {
		ends += "; nothing was changed"
	}
	out.say(fmt.Sprintf("%s/%s "+ends+"\n", done.Namespace, done.Name, cmp.Or(done.File, "its source")))
	out.Pod = &done
	return out.end(nil)
}

// namedPodWork is what a command does with the static pod of a name.
type namedPodWork func(
	c *staticpods.Commander, ctx context.Context, namespace, name string, timeout time.Duration,
) (staticpods.Handled, error)

// newNamedPodCommand is a command about the static pod of a name, as handle runs it.
func newNamedPodCommand(use, short, ends string, looks bool, do namedPodWork) *cobra.Command {
	var o staticPodOptions
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.handle(ends, looks, func(pods *staticpods.Commander) (staticpods.Handled, error) {
				return do(pods, cmd.Context(), o.namespace, args[0], o.timeout)
			})
		},
	}
	addNamespaceFlag(cmd, &o.namespace)
	o.addWaitFlags(cmd)
	return cmd
}

// pathObject is all of static-pod path -o json.
type pathObject struct {
	Schema string `json:"schema"`
	observe.KubeletFound
}

func showPath(cmd *cobra.Command, on observe.Observer, asJSON bool) error {
	k, err := staticpods.Open(on).FindKubelet(cmd.Context())
	if err != nil {
		return err
	}
	if asJSON {
		err = printJSON(cmd.OutOrStdout(), pathObject{outputVersion, k})
	} else {
		err = printPath(cmd, k)
	}
	return errors.Join(err, k.CheckPath())
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
