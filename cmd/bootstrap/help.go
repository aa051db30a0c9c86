package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
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
func newTopics() ([]*cobra.Command, error) {
	files, err := fs.Glob(helpFiles, "help/*.md")
	var topics []*cobra.Command
	for _, file := range files {
		page, readErr := helpFiles.ReadFile(file)
		title, _, _ := strings.Cut(string(page), "\n")
		topics = append(topics, &cobra.Command{
			Use: strings.TrimSuffix(path.Base(file), ".md"), Short: strings.TrimPrefix(title, "# "), Long: string(page),
		})
		err = errors.Join(err, readErr)
	}
	return topics, err
}

// describe gives root, and each command below it, the text and the examples in its file.
func describe(root *cobra.Command) error {
	texts, err := template.ParseFS(helpFiles, "help/commands/*.txt")
	if err != nil {
		return err
	}
	lists := map[string]string{
		"Init": phaseList(phases.Init()), "Standalone": phaseList(phases.Standalone()), "Reset": phaseList(phases.Reset()),
	}
	for _, cmd := range all(root) {
		if text := texts.Lookup(textFile(cmd)); text != nil {
			if cmd.Long, cmd.Example, err = longAndExample(text, lists); err != nil {
				return err
			}
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

// longAndExample fills in the lists of phases.
func longAndExample(text *template.Template, lists map[string]string) (long, example string, err error) {
	var b strings.Builder
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
