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

	"bootstrap/phases"
	"bootstrap/phases/machine"
	"bootstrap/phases/podmanifest"
)

const staticPodExitCodes = `Exit codes:
  0    done
  1    the pod does not run, or is not gone yet; its file was written, or removed, as asked
  2    usage, not root, or refused: nothing was changed
  130  interrupted (SIGINT); 143 for SIGTERM, 129 for SIGHUP`

// staticPodOptions are those that the commands share.
type staticPodOptions struct {
	file      string
	namespace string
	timeout   time.Duration
	output    string
	root      string
}

func newStaticPodCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "static-pod",
		Short: "Apply, show and remove static pods of this machine's kubelet",
		Long: `Apply, show and remove static pods: pods that a kubelet runs from files in a directory,
with a cluster or without. It works with any kubelet, whoever set it up, and needs no
API server: the kubelet, the directory and the container runtime are found by what lies
on this machine. Files of static pods are yours: bootstrap reset leaves them.

See also: bootstrap help static-pods`,
		RunE: needsCommand,
	}
	cmd.AddCommand(newStaticPodApplyCommand(), newStaticPodListCommand(), newStaticPodShowCommand(),
		newStaticPodDeleteCommand(), newStaticPodWaitCommand(), newStaticPodPathCommand())
	return cmd
}

func (o *staticPodOptions) addRootFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.root, "root", "/", "directory that stands for this machine's root")
}

func (o *staticPodOptions) addNamespaceFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.namespace, "namespace", "n", "default", "namespace of the pod")
}

func (o *staticPodOptions) addTimeoutFlag(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long to wait")
}

func newStaticPodApplyCommand() *cobra.Command {
	var o staticPodOptions
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Have the kubelet run the Pod of a manifest, and wait until it runs",
		Long: `Put a manifest where the kubelet looks for static pods, and wait until the pod runs: all
containers are up for 3 s and, where the kubelet has an API server, the mirror pod is
ready. If it does not come up, the cause is named, as by init.

The file keeps its name; from standard input it is called NAME.yaml. A pod that is there
by a file of that name is replaced if the content differs. The same again changes nothing,
save that a mirror pod which was edited through the API is made anew.

Before anything is written, these are refused: what is no Pod, or not a valid one; what a
static pod may not refer to (ServiceAccount, Secret, ConfigMap, claims); names and host
ports that are taken; file names that begin with a dot.

` + staticPodExitCodes,
		Example: `  sudo bootstrap static-pod apply -f web.yaml
  sudo bootstrap static-pod apply -f - <web.yaml
  sudo bootstrap static-pod apply -f web.yaml --timeout 30s --output json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.file == "" {
				return usage(&helpError{errors.New("which manifest? -f FILE, or -f - for standard input"), cmd})
			}
			return o.apply(cmd)
		},
	}
	cmd.Flags().StringVarP(&o.file, "filename", "f", "", "the manifest, YAML or JSON; - for standard input")
	o.addTimeoutFlag(cmd)
	o.addRootFlag(cmd)
	addOutputFlag(cmd, &o.output)
	return cmd
}

// source reads the manifest before anything else, so that a pipe is read as a whole.
func (o staticPodOptions) source(stdin io.Reader) (phases.PodSource, error) {
	if o.file == "-" {
		data, err := io.ReadAll(io.LimitReader(stdin, podmanifest.MaxSize+1))
		return phases.PodSource{Data: data}, err
	}
	f, err := os.Open(o.file)
	if err != nil {
		return phases.PodSource{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, podmanifest.MaxSize+1))
	return phases.PodSource{File: o.file, Data: data}, err
}

func (o staticPodOptions) apply(cmd *cobra.Command) error {
	source, err := o.source(cmd.InOrStdin())
	if err != nil {
		return usage(err)
	}
	return o.handle(cmd.Context(), false, func(ctx context.Context, env *phases.Env) (phases.Handled, string, error) {
		done, err := phases.ApplyStaticPod(ctx, env, source, o.timeout)
		if done.Changed {
			return done, "runs, from " + done.File, err
		}
		return done, fmt.Sprintf("runs, from %s: nothing to change, it was so already", done.File), err
	})
}

// handle runs a command that is about one pod, and shows how it goes.
func (o staticPodOptions) handle(ctx context.Context, looks bool, do func(context.Context, *phases.Env) (phases.Handled, string, error)) error {
	out, err := newOutput(o.output, false)
	if err != nil {
		return usage(err)
	}
	env, err := o.env(looks)
	if err != nil {
		return out.end(usage(err), result{})
	}
	defer env.Host.Close()
	env.Tell.To = out.report
	done, text, err := do(ctx, env)
	if err != nil {
		return out.end(err, result{})
	}
	out.sayDone(fmt.Sprintf("%s/%s %s", done.Namespace, done.Name, text))
	return out.end(nil, result{Pod: &done})
}

// env is of a machine whose kubelet may be anybody's: no config of ours counts.
func (o staticPodOptions) env(looks bool) (*phases.Env, error) {
	facts, err := machine.At(o.root).Facts()
	if err != nil {
		return nil, err
	}
	h, err := openHost(o.root, looks)
	if err != nil {
		return nil, err
	}
	return phases.NewStaticPodEnv(h, facts), nil
}

func newStaticPodDeleteCommand() *cobra.Command {
	var o staticPodOptions
	cmd := &cobra.Command{
		Use:   "delete NAME",
		Short: "Remove a static pod's file, and wait until its containers are gone",
		Long: `Remove the file of a static pod, and wait until its containers are gone, and its mirror
pod where the kubelet has an API server. NAME is the pod's, or as it runs, NAME-NODE.
The pods of the control plane are refused.

` + staticPodExitCodes,
		Example: `  sudo bootstrap static-pod delete web
  sudo bootstrap static-pod delete web -n shop --timeout 1m`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.handle(cmd.Context(), false, func(ctx context.Context, env *phases.Env) (phases.Handled, string, error) {
				done, err := phases.DeleteStaticPod(ctx, env, o.namespace, args[0], o.timeout)
				if done.Changed {
					return done, fmt.Sprintf("is gone: %s was removed", done.File), err
				}
				return done, "is gone", err
			})
		},
	}
	o.addNamespaceFlag(cmd)
	o.addTimeoutFlag(cmd)
	o.addRootFlag(cmd)
	addOutputFlag(cmd, &o.output)
	return cmd
}

func newStaticPodWaitCommand() *cobra.Command {
	var o staticPodOptions
	cmd := &cobra.Command{
		Use:   "wait NAME",
		Short: "Wait until a static pod runs, or say why it does not",
		Long: `Wait until a static pod runs, as apply does, or say why it does not. Nothing is changed.
NAME is the pod's, or as it runs, NAME-NODE.

` + staticPodExitCodes,
		Example: `  sudo bootstrap static-pod wait web
  sudo bootstrap static-pod wait web -n shop --timeout 30s`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.handle(cmd.Context(), true, func(ctx context.Context, env *phases.Env) (phases.Handled, string, error) {
				done, err := phases.WaitForStaticPod(ctx, env, o.namespace, args[0], o.timeout)
				return done, "runs", err
			})
		},
	}
	o.addNamespaceFlag(cmd)
	o.addTimeoutFlag(cmd)
	o.addRootFlag(cmd)
	addOutputFlag(cmd, &o.output)
	return cmd
}

func oneName(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return usage(&helpError{fmt.Errorf("%s takes the name of one pod, got %d", cmd.CommandPath(), len(args)), cmd})
}

func newStaticPodPathCommand() *cobra.Command {
	var o staticPodOptions
	cmd := &cobra.Command{
		Use:   "path",
		Short: "Show where the kubelet looks for static pods, and what says so",
		Long: `Show the directory in which this machine's kubelet looks for static pods, and on standard
error what says so. It is found as an operator would find it: by the flags of the kubelet
that runs (--pod-manifest-path), else those of kubelet.service with its drop-ins and
environment files; by the drop-ins of --config-dir; and by --config (staticPodPath). What
comes first here counts.

Exit codes:
  0  done
  2  usage, no kubelet, or this kubelet reads no static pods from files`,
		Example: `  sudo bootstrap static-pod path
  sudo bootstrap static-pod path --output json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return usage(o.path(cmd)) },
	}
	cmd.Flags().StringVarP(&o.output, "output", "o", "text", "text, or json: one object")
	o.addRootFlag(cmd)
	return cmd
}

// pathObject is all of static-pod path -o json.
type pathObject struct {
	Schema     string   `json:"schema"`
	Path       string   `json:"path"` // empty: there is none
	From       string   `json:"from,omitempty"`
	Overridden []string `json:"overridden,omitempty"`
	Kubelet    string   `json:"kubelet"`
	Running    bool     `json:"running"`
	Read       []string `json:"read,omitempty"`
	Warnings   []string `json:"warnings,omitempty"`
}

// look opens this machine to read only.
func (o staticPodOptions) look(do func(env *phases.Env, asJSON bool) error) error {
	asJSON, err := isJSON(o.output)
	if err != nil {
		return err
	}
	env, err := o.env(true)
	if err != nil {
		return err
	}
	defer env.Host.Close()
	return do(env, asJSON)
}

func (o staticPodOptions) path(cmd *cobra.Command) error {
	return o.look(func(env *phases.Env, asJSON bool) error {
		k, err := phases.FindKubelet(cmd.Context(), env)
		if err != nil {
			return err
		}
		if !asJSON {
			return errors.Join(printPath(cmd, k), k.CheckPath())
		}
		err = printJSON(cmd.OutOrStdout(), pathObject{
			Schema: outputVersion, Path: k.StaticPodPath, From: k.From, Overridden: k.Overridden,
			Kubelet: k.What, Running: k.Running, Read: k.Read, Warnings: k.Warnings,
		})
		return errors.Join(err, k.CheckPath())
	})
}

// printPath puts the path alone on standard output, for scripts.
func printPath(cmd *cobra.Command, k phases.KubeletFound) error {
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
