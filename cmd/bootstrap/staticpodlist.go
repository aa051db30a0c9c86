package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"bootstrap/phases/observe"
	"bootstrap/phases/staticpods"
)

// staticPodsObject is all of static-pod list -o json.
type staticPodsObject struct {
	Schema string           `json:"schema"`
	Path   string           `json:"path"`
	Pods   []staticpods.Pod `json:"pods"`
	Notes  []string         `json:"notes,omitempty"`
}

func showStaticPods(cmd *cobra.Command, on observe.Observer, asJSON bool) error {
	list, err := staticpods.Open(on).List(cmd.Context())
	if err != nil {
		return err
	}
	for i, p := range list.Pods {
		list.Pods[i] = shownPod(p)
	}
	if list.Notes = shownLines(list.Notes); asJSON {
		object := staticPodsObject{outputVersion, list.Kubelet.StaticPodPath, list.Pods, list.Notes}
		return printJSON(cmd.OutOrStdout(), object)
	}
	printNotes(cmd.ErrOrStderr(), list.Notes)
	return printStaticPods(cmd.OutOrStdout(), list)
}

// shownPod is a static pod without the secrets that its file and the API server can be quoted with.
func shownPod(p staticpods.Pod) staticpods.Pod {
	p.Problem = shown(p.Problem)
	if p.Mirror != nil {
		p.Mirror.Reason = shown(p.Mirror.Reason)
	}
	return p
}

func printNotes(w io.Writer, notes []string) {
	for _, note := range notes {
		fmt.Fprintf(w, "note: %s\n", note)
	}
}

func printStaticPods(w io.Writer, list staticpods.List) error {
	if len(list.Pods) == 0 {
		_, err := fmt.Fprintf(w, "No static pod in the kubelet's folder (%s). See: bootstrap static-pod path\n", printable(list.Kubelet.StaticPodPath))
		return err
	}
	rows := []string{"FILE\tPOD\tHASH\tSTATE\tRESTARTS\tMIRROR POD"}
	var problems []string
	for _, p := range list.Pods {
		name := "-"
		if p.Name != "" {
			name = printable(p.Namespace + "/" + p.Name)
		}
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%s", fileColumn(p), name, printable(p.Hash[:min(8, len(p.Hash))]), p.State, p.Restarts, mirrorColumn(p.Mirror)))
		if p.Problem != "" {
			problems = append(problems, fmt.Sprintf("%s: %s\n", strings.Trim(fileColumn(p)+" "+name, "- "), p.Problem))
		}
	}
	if err := newTable(w, rows...).Flush(); err != nil || len(problems) == 0 {
		return err
	}
	_, err := io.WriteString(w, "\n"+strings.Join(problems, ""))
	return err
}

func fileColumn(p staticpods.Pod) string {
	switch {
	case p.File != "":
		return printable(p.File[strings.LastIndex(p.File, "/")+1:])
	case p.Source == "http":
		return "(URL)"
	}
	return "-"
}

func mirrorColumn(m *staticpods.MirrorPod) string {
	switch {
	case m == nil:
		return "-"
	case m.Ready:
		return m.Name + " ready"
	}
	return m.Name + " not ready"
}

func newStaticPodShowCommand() *cobra.Command {
	var namespace string
	cmd := newLookCommand("show NAME", "Show one static pod: its file, containers and mirror pod",
		"text, or json: one object",
		func(cmd *cobra.Command, on observe.Observer, asJSON bool) error {
			p, list, err := staticpods.Open(on).Find(cmd.Context(), namespace, cmd.Flags().Arg(0))
			if err != nil {
				return err
			}
			p, list.Notes = shownPod(p), shownLines(list.Notes)
			if asJSON {
				return printJSON(cmd.OutOrStdout(), staticPodObject{outputVersion, p, list.Notes})
			}
			printNotes(cmd.ErrOrStderr(), list.Notes)
			return newTable(cmd.OutOrStdout(), staticPodRows(p)...).Flush()
		})
	cmd.Args = cobra.ExactArgs(1)
	addNamespaceFlag(cmd, &namespace)
	return cmd
}

// staticPodObject is all of static-pod show -o json.
type staticPodObject struct {
	Schema string `json:"schema"`
	staticpods.Pod
	Notes []string `json:"notes,omitempty"`
}

func staticPodRows(p staticpods.Pod) []string {
	rows := []string{
		"pod\t" + printable(p.Namespace+"/"+p.Name),
		"runs as\t" + printable(p.RunsAs),
		"file\t" + printable(p.File),
		"hash\t" + printable(p.Hash),
		"state\t" + p.State,
		"mirror pod\t" + mirrorColumn(p.Mirror),
	}
	if p.Mirror != nil && p.Mirror.Reason != "" {
		rows = append(rows, "\t"+p.Mirror.Reason)
	}
	for _, c := range p.Containers {
		state := c.State
		if c.ExitCode != nil {
			state += fmt.Sprintf(" (exit code %d)", *c.ExitCode)
		}
		rows = append(rows, fmt.Sprintf("container\t%s: %s since %s, %d restarts, %s", printable(c.Name), state, printable(c.Since), c.Restarts, printable(c.Image)))
	}
	if p.Hash != "" {
		rows = append(rows, fmt.Sprintf("logs\t/var/log/pods/%s_%s_%s", p.Namespace, p.RunsAs, p.Hash))
	}
	if p.Problem != "" {
		rows = append(rows, "problem\t"+p.Problem)
	}
	return rows
}
