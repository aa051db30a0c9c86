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
	return []*cobra.Command{
		newTopic("causes", "What can be wrong, and what to do about it"),
		newTopic("ci", "A cluster for a CI job, on GitHub and GitLab"),
		newTopic("config-file", "kubeadm's kinds, and what bootstrap adds to them"),
		newTopic("machine", "What a machine needs, what is used of it, and how more nodes join"),
		newTopic("network", "Ports, proxies, registries, and the pod network"),
		newTopic("output", "What --output json prints"),
		newTopic("phases", "What init makes on the machine, and how long it takes"),
		newTopic("rerun", "init again: other configs, certificates, other versions"),
		newTopic("standalone", "A kubelet with static pods, without an API server"),
		newTopic("static-pods", "Pods that a kubelet runs from files, with a cluster or without"),
		newTopic("trouble", "What to look at when something is wrong"),
		newTopic("undo", "What reset removes, and what stays"),
		newTopic("vms", "A cluster under Vagrant, or a machine under QEMU"),
	}
}

func newTopic(name, short string) *cobra.Command {
	return &cobra.Command{Use: name, Short: short, Long: topicPage(name)}
}

// topicPage panics where there is no such file: the program was built wrong.
func topicPage(name string) string {
	text, err := helpFiles.ReadFile("help/" + name + ".md")
	if err != nil {
		panic(err)
	}
	return string(text)
}

func commandTexts() *template.Template {
	return template.Must(template.ParseFS(helpFiles, "help/commands/*.txt"))
}

// describe gives cmd, and all commands below it, the text and the examples in their files.
func describe(cmd *cobra.Command, texts *template.Template) {
	if text := texts.Lookup(textFile(cmd)); text != nil {
		cmd.Long, cmd.Example = longAndExample(text)
	}
	for _, sub := range cmd.Commands() {
		describe(sub, texts)
	}
}

// textFile is named by the words of the command: that of static-pod apply is static-pod-apply.txt.
func textFile(cmd *cobra.Command) string {
	return strings.ReplaceAll(strings.TrimPrefix(cmd.CommandPath(), "bootstrap "), " ", "-") + ".txt"
}

func longAndExample(text *template.Template) (long, example string) {
	var b strings.Builder
	lists := map[string]string{
		"Init": phaseList(phases.Init()), "Standalone": phaseList(phases.Standalone()), "Reset": phaseList(phases.Reset()),
	}
	if err := text.Execute(&b, lists); err != nil {
		panic(err) // a Builder takes everything, so the text is wrong
	}
	long, example, _ = strings.Cut(b.String(), "Examples:\n")
	return strings.TrimSpace(long), strings.TrimRight(example, "\n")
}

func phaseList(plan phases.Plan) string {
	var b strings.Builder
	for _, p := range plan.Phases() {
		fmt.Fprintf(&b, "  %-20s %s\n", p.Name, p.Short)
	}
	return b.String()
}
