package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"bootstrap/phases"
)

func newStaticPodListCommand() *cobra.Command {
	var o staticPodOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List static pods: file, hash, state, restarts and mirror pod",
		Long: `List the static pods of this machine's kubelet, with what the container runtime and the
API server have of each. Files that the kubelet can't take, mirror pods whose file is gone
or differs, and pods from a URL are shown too. Neither an API server nor a runtime that
answers is needed.

The hash is the kubelet's: with another content, a pod has another.

Exit codes:
  0  done
  2  usage, not root, or no kubelet`,
		Example: `  sudo bootstrap static-pod list
  sudo bootstrap static-pod list --output json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return usage(o.list(cmd)) },
	}
	cmd.Flags().StringVarP(&o.output, "output", "o", "text", "text, or json: one object with all static pods")
	o.addRootFlag(cmd)
	return cmd
}

// staticPodsObject is all of static-pod list -o json.
type staticPodsObject struct {
	Schema string             `json:"schema"`
	Path   string             `json:"path"`
	Pods   []phases.StaticPod `json:"pods"`
	Notes  []string           `json:"notes,omitempty"`
}

func (o staticPodOptions) list(cmd *cobra.Command) error {
	return o.look(func(env *phases.Env, asJSON bool) error {
		list, err := phases.StaticPods(cmd.Context(), env)
		if err != nil {
			return err
		}
		if asJSON {
			pods := append([]phases.StaticPod{}, list.Pods...)
			return printJSON(cmd.OutOrStdout(), staticPodsObject{outputVersion, list.Kubelet.StaticPodPath, pods, list.Notes})
		}
		printNotes(cmd.ErrOrStderr(), list.Notes)
		return printStaticPods(cmd.OutOrStdout(), list)
	})
}

func printNotes(w io.Writer, notes []string) {
	for _, note := range notes {
		fmt.Fprintf(w, "note: %s\n", shown(note))
	}
}

func printStaticPods(w io.Writer, list phases.StaticPodList) error {
	if len(list.Pods) == 0 && list.Kubelet.StaticPodPath == "" {
		_, err := io.WriteString(w, "No static pod: this kubelet reads none from files. See: bootstrap static-pod path\n")
		return err
	}
	if len(list.Pods) == 0 {
		_, err := fmt.Fprintf(w, "No static pod in %s.\n", list.Kubelet.StaticPodPath)
		return err
	}
	rows := []string{"FILE\tPOD\tHASH\tSTATE\tRESTARTS\tMIRROR POD"}
	var problems []string
	for _, p := range list.Pods {
		name := "-"
		if p.Name != "" {
			name = printable(p.Namespace + "/" + p.Name)
		}
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%s", fileColumn(p), name, orNone(shortHash(p.Hash)), p.State, p.Restarts, mirrorColumn(p.Mirror)))
		if p.Problem != "" {
			problems = append(problems, fmt.Sprintf("%s: %s\n", strings.Trim(fileColumn(p)+" "+name, "- "), shown(p.Problem)))
		}
	}
	if err := writeTable(w, rows); err != nil || len(problems) == 0 {
		return err
	}
	_, err := io.WriteString(w, "\n"+strings.Join(problems, ""))
	return err
}

func fileColumn(p phases.StaticPod) string {
	switch {
	case p.File != "":
		return printable(p.File[strings.LastIndex(p.File, "/")+1:])
	case p.Source == "http":
		return "(URL)"
	}
	return "-"
}

func mirrorColumn(m *phases.MirrorPod) string {
	switch {
	case m == nil:
		return "-"
	case m.Ready:
		return m.Name + " ready"
	}
	return m.Name + " not ready"
}

// shortHash is enough to tell one from the other.
func shortHash(hash string) string { return hash[:min(8, len(hash))] }

func orNone(text string) string { return cmp.Or(text, "-") }

func newStaticPodShowCommand() *cobra.Command {
	var o staticPodOptions
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show one static pod: its file, containers and mirror pod",
		Long: `Show a static pod: its file, hash and state, each container, and its mirror pod. NAME is
the pod's, or as it runs, NAME-NODE.

Exit codes:
  0  done
  2  usage, not root, or no such pod`,
		Example: `  sudo bootstrap static-pod show web
  sudo bootstrap static-pod show web -n shop --output json`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error { return usage(o.show(cmd, args[0])) },
	}
	cmd.Flags().StringVarP(&o.output, "output", "o", "text", "text, or json: one object")
	o.addNamespaceFlag(cmd)
	o.addRootFlag(cmd)
	return cmd
}

// staticPodObject is all of static-pod show -o json.
type staticPodObject struct {
	Schema string `json:"schema"`
	phases.StaticPod
	Notes []string `json:"notes,omitempty"`
}

func (o staticPodOptions) show(cmd *cobra.Command, name string) error {
	return o.look(func(env *phases.Env, asJSON bool) error {
		p, list, err := phases.FindStaticPod(cmd.Context(), env, o.namespace, name)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), staticPodObject{outputVersion, p, list.Notes})
		}
		printNotes(cmd.ErrOrStderr(), list.Notes)
		return writeTable(cmd.OutOrStdout(), staticPodRows(p))
	})
}

func staticPodRows(p phases.StaticPod) []string {
	rows := []string{
		"pod\t" + printable(p.Namespace+"/"+p.Name),
		"runs as\t" + printable(p.Pod),
		"file\t" + orNone(printable(p.File)),
		"hash\t" + orNone(p.Hash),
		"state\t" + p.State,
		"mirror pod\t" + mirrorColumn(p.Mirror),
	}
	if p.Mirror != nil && p.Mirror.Reason != "" {
		rows = append(rows, "\t"+shown(p.Mirror.Reason))
	}
	for _, c := range p.Containers {
		state := c.State
		if c.ExitCode != nil {
			state += fmt.Sprintf(" (exit code %d)", *c.ExitCode)
		}
		rows = append(rows, fmt.Sprintf("container\t%s: %s since %s, %d restarts, %s", printable(c.Name), state, orNone(c.Since), c.Restarts, printable(c.Image)))
	}
	if p.Hash != "" {
		rows = append(rows, fmt.Sprintf("logs\t/var/log/pods/%s_%s_%s", p.Namespace, p.Pod, p.Hash))
	}
	if p.Problem != "" {
		rows = append(rows, "problem\t"+shown(p.Problem))
	}
	return rows
}
