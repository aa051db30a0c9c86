package main

import (
	"embed"
	"fmt"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"bootstrap/phases"
)

// helpFiles are the pages of help, and in commands the texts of --help.
//
//go:embed help
var helpFiles embed.FS

// newTopics are the pages of help: bootstrap help NAME.
func newTopics() []*cobra.Command {
	topic := func(name, short string) *cobra.Command { return &cobra.Command{Use: name, Short: short} }
	return []*cobra.Command{
		topic("causes", "What can be wrong, and what to do about it"),
		topic("ci", "A cluster for a CI job, on GitHub and GitLab"),
		topic("config-file", "kubeadm's kinds, and what bootstrap adds to them"),
		topic("machine", "What a machine needs, what is used of it, and how more nodes join"),
		topic("network", "Ports, proxies, registries, and the pod network"),
		topic("output", "What --output json prints"),
		topic("phases", "What init makes on the machine, and how long it takes"),
		topic("rerun", "init again: other configs, certificates, other versions"),
		topic("standalone", "A kubelet with static pods, without an API server"),
		topic("static-pods", "Pods that a kubelet runs from files, with a cluster or without"),
		topic("trouble", "What to look at when something is wrong"),
		topic("undo", "What reset removes, and what stays"),
		topic("vms", "A cluster under Vagrant, or a machine under QEMU"),
	}
}

// describe gives a command of root the text and the examples in its file, and those below
// it theirs; a page of help is a file of its own.
func describe(root *cobra.Command) error {
	texts, err := template.ParseFS(helpFiles, "help/commands/*.txt")
	if err != nil {
		return err
	}
	for _, cmd := range all(root) {
		if text := texts.Lookup(textFile(cmd)); text != nil {
			cmd.Long, cmd.Example, err = longAndExample(text)
		} else if page, none := helpFiles.ReadFile("help/" + cmd.Name() + ".md"); none == nil && !cmd.Runnable() {
			cmd.Long = string(page)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// all are a command and those below it.
func all(cmd *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		list = append(list, all(sub)...)
	}
	return list
}

// textFile is named by the words of the command: that of static-pod apply is static-pod-apply.txt.
func textFile(cmd *cobra.Command) string {
	return strings.ReplaceAll(strings.TrimPrefix(cmd.CommandPath(), "bootstrap "), " ", "-") + ".txt"
}

func longAndExample(text *template.Template) (long, example string, err error) {
	var b strings.Builder
	lists := map[string]string{
		"Init": phaseList(phases.Init()), "Standalone": phaseList(phases.Standalone()), "Reset": phaseList(phases.Reset()),
	}
	if err := text.Execute(&b, lists); err != nil {
		return "", "", err
	}
	long, example, _ = strings.Cut(b.String(), "Examples:\n")
	return strings.TrimSpace(long), strings.TrimRight(example, "\n"), nil
}

func phaseList(plan phases.Plan) string {
	var b strings.Builder
	for _, p := range plan.Phases() {
		fmt.Fprintf(&b, "  %-20s %s\n", p.Name, p.Short)
	}
	return b.String()
}
