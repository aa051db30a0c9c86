package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"bootstrap/phases"
)

func rootCommand(t *testing.T) *cobra.Command {
	t.Helper()
	root, err := newRootCommand()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// everyCommand calls f for every command that is ours.
func everyCommand(t *testing.T, f func(*cobra.Command)) {
	t.Helper()
	for _, cmd := range all(rootCommand(t)) {
		f(cmd)
	}
}

// pageText is a page of help, as bootstrap help NAME shows it.
func pageText(t *testing.T, name string) string {
	t.Helper()
	text, err := helpFiles.ReadFile("help/" + name + ".md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryCommandIsExplained(t *testing.T) {
	everyCommand(t, func(cmd *cobra.Command) {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: short text %q is empty or ends in a full stop", cmd.CommandPath(), cmd.Short)
		}
		if cmd.RunE == nil && !isPage(cmd) {
			t.Errorf("%s does nothing", cmd.CommandPath())
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s: --%s has no text", cmd.CommandPath(), f.Name)
			}
		})
	})
}

// isPage: it is only there to be read.
func isPage(cmd *cobra.Command) bool { return cmd.IsAdditionalHelpTopicCommand() && cmd.Long != "" }

// TestPages: each page of help can be read by a command, and is linked to in the README.
func TestPages(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("help/*.md")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d pages, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".md")
		if got := helpOf(t, name); !strings.HasPrefix(got, strings.TrimSpace(string(text))) {
			t.Errorf("bootstrap help %s prints\n%.200s", name, got)
		}
		if !strings.Contains(string(readme), "["+name+"](cmd/bootstrap/"+file+")") {
			t.Errorf("the README has no link to %s", file)
		}
	}
}

// TestTextsAreOfCommands: each file in help/commands is of a command, or part of others.
func TestTextsAreOfCommands(t *testing.T) {
	known := map[string]bool{}
	everyCommand(t, func(cmd *cobra.Command) {
		known[textFile(cmd)] = true
	})
	files, err := filepath.Glob("help/commands/*.txt")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d texts, %v", len(files), err)
	}
	for _, file := range files {
		if name := filepath.Base(file); !known[name] && !strings.HasPrefix(name, "exit-codes") {
			t.Errorf("%s is of no command", file)
		}
	}
}

func TestExamples(t *testing.T) {
	everyCommand(t, func(cmd *cobra.Command) {
		self := isPage(cmd) || cmd.Name() == "version" || cmd.Parent() != nil && cmd.Parent().Name() == "phase" // the name says all
		if !cmd.HasSubCommands() && !self && !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Errorf("%s has no example of its own", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Example) {
			checkExample(t, cmd, strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "sudo ")))
		}
	})
}

// checkExample wants the words of an example to be a command and flags that exist.
func checkExample(t *testing.T, cmd *cobra.Command, words []string) {
	t.Helper()
	if len(words) == 0 || words[0] != "bootstrap" {
		t.Errorf("%s: example %q does not run bootstrap", cmd.CommandPath(), words)
		return
	}
	found, rest, err := rootCommand(t).Find(words[1:])
	if err != nil || !strings.HasPrefix(found.CommandPath(), cmd.CommandPath()) {
		t.Errorf("%s: example %q is of another command, %v", cmd.CommandPath(), words, err)
		return
	}
	for _, word := range rest {
		name, isFlag := strings.CutPrefix(word, "--")
		if isFlag && found.Flags().Lookup(name) == nil && found.InheritedFlags().Lookup(name) == nil {
			t.Errorf("%s: example %q has an unknown flag --%s", cmd.CommandPath(), words, name)
		}
	}
}

// helpOf is what a command prints for --help.
func helpOf(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	root := rootCommand(t)
	root.SetOut(&out)
	root.SetArgs(append(args, "--help"))
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestHelpListsPhasesInOrder(t *testing.T) {
	cases := []struct {
		args []string
		plan phases.Plan
	}{
		{[]string{"init"}, phases.Init()},
		{[]string{"init", "phase"}, phases.Init()},
		{[]string{"init"}, phases.Standalone()},
		{[]string{"reset"}, phases.Reset()},
	}
	for _, c := range cases {
		help := helpOf(t, c.args...)
		for _, p := range c.plan.Phases() {
			_, after, found := strings.Cut(help, "\n  "+p.Name+" ")
			if !found || !strings.Contains(after, p.Short) {
				t.Errorf("%v --help: no phase %s after the one before it, with its text", c.args, p.Name)
				break
			}
			help = after
		}
	}
}

func TestEveryPhaseIsACommand(t *testing.T) {
	for _, name := range append(phases.Init().Names(), phases.Standalone().Names()...) {
		cmd, _, err := rootCommand(t).Find([]string{"init", "phase", name})
		if err != nil || cmd.Name() != name {
			t.Errorf("init phase %s: %v", name, err)
		}
	}
}

func TestHelpTellsExitCodes(t *testing.T) {
	help := helpOf(t)
	for _, want := range []string{"\n  0    done", "\n  1    a phase failed", "\n  2    usage, config file or preflight: nothing was changed", "\n  130  interrupted", "143"} {
		if !strings.Contains(help, want) {
			t.Errorf("bootstrap --help lacks %q", want)
		}
	}
}
