package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/diagnose"
)

var update = flag.Bool("update", false, "write the generated pages instead of comparing with them")

func catalogue(t *testing.T) diagnose.Catalogue {
	t.Helper()
	return diagnose.ReadCatalogue()
}

// causesMarkdown is help/causes.md: the whole catalogue.
func causesMarkdown(entries diagnose.Catalogue) string {
	var b strings.Builder
	b.WriteString("# What can be wrong, and what to do about it\n\nEverything that bootstrap can tell to be wrong, each under the ID by which messages\n" +
		"name it and `bootstrap explain ID` shows it. What comes first can be the reason for\nwhat comes after.\n")
	for _, e := range entries {
		fmt.Fprintf(&b, "\n## %s\n\n**%s**\n\n%s", e.ID, e.Title, explained(e))
	}
	return b.String()
}

// TestCausesPage: the page is what the catalogue says.
func TestCausesPage(t *testing.T) {
	want := causesMarkdown(catalogue(t))
	if *update {
		if err := os.WriteFile("help/causes.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, pageText(t, "causes")); diff != "" {
		t.Errorf("help/causes.md is old: go test ./cmd/bootstrap -update writes it (-want +got):\n%s", diff)
	}
}

var ailing = diagnose.Entry{
	Text: diagnose.Text{ID: "port-taken", Title: "a port is taken", Means: "etcd stops.", Remedy: "make room", Link: "https://example.org/disk"},
	Rule: diagnose.Rule{
		Check: func(*diagnose.Machine) diagnose.Findings { return nil },
		Cause: func(*diagnose.Evidence) diagnose.Findings { return nil },
	},
}

func TestExplained(t *testing.T) {
	found := diagnose.Entry{Text: diagnose.Text{ID: "x", Means: "m", Remedy: "r"}}
	for want, e := range map[string]diagnose.Entry{
		"etcd stops.\n\nFound: by preflight, before anything is changed, and while init waits or status looks.\n\n" +
			"What to do: make room\n\nMore: https://example.org/disk\n": ailing,
		"m\n\nFound: while init waits or status looks.\n\nWhat to do: r\n": found,
	} {
		if got := explained(e); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	var table strings.Builder
	if err := printCauses(&table, []diagnose.Entry{ailing, found}); err != nil {
		t.Fatal(err)
	}
	if want := "ID          FOUND            TITLE\nport-taken  preflight, live  a port is taken\nx           live             \n"; table.String() != want {
		t.Errorf("got\n%s\nwant\n%s", table.String(), want)
	}
	if err := unknownID("port-takn", []diagnose.Entry{ailing}); err.Error() != `nothing has the ID "port-takn", did you mean "port-taken"?` {
		t.Error(err)
	}
}

// TestExplainEvery: each ID can be asked for, and the JSON is as documented.
func TestExplainEvery(t *testing.T) {
	p, err := readPage()
	if err != nil {
		t.Fatal(err)
	}
	var calls [][]string
	for _, e := range catalogue(t) {
		calls = append(calls, []string{e.ID})
	}
	for _, call := range append(calls, nil) {
		out := outputOf(t, append([]string{"explain", "-o", "json"}, call...)...)
		var object map[string]any
		if err := json.Unmarshal([]byte(out), &object); err != nil {
			t.Fatal(err)
		}
		if err := p.check("Causes", "", object); err != nil {
			t.Errorf("explain %v: %v", call, err)
		}
	}
}

func outputOf(t *testing.T, args ...string) string {
	t.Helper()
	var out strings.Builder
	root := rootCommand(t)
	root.SetOut(&out)
	root.SetArgs(args)
	if err := root.Execute(); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return out.String()
}

var kebab = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)

// wrongIn is what a reader of an entry would stumble over.
func wrongIn(e diagnose.Entry) []string {
	var wrong []string
	add := func(when bool, what string) {
		if when {
			wrong = append(wrong, what)
		}
	}
	add(!kebab.MatchString(e.ID), "its ID is not in kebab-case")
	for field, text := range map[string]string{"title": e.Title, "means": e.Means, "remedy": e.Remedy} {
		add(text == "", "no "+field)
		add(text != strings.TrimSpace(text), field+" begins or ends with space")
		add(strings.Contains(text, "TODO"), field+" is not done")
	}
	add(strings.ContainsAny(e.Title, "\n") || strings.HasSuffix(e.Title, "."), "its title is no title: one line, no full stop")
	add(e.Link != "" && !strings.HasPrefix(e.Link, "https://"), "its link leads nowhere")
	return wrong
}

func TestCatalogueIsReadable(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range catalogue(t) {
		for _, wrong := range wrongIn(e) {
			t.Errorf("%s: %s", e.ID, wrong)
		}
		if seen[e.ID] {
			t.Errorf("%s is there twice", e.ID)
		}
		seen[e.ID] = true
	}
	if wrong := wrongIn(ailing); wrong != nil {
		t.Errorf("a good entry: %v", wrong)
	}
	for _, spoil := range []func(*diagnose.Entry){
		func(e *diagnose.Entry) { e.ID = "DiskFull" },
		func(e *diagnose.Entry) { e.Title = "A disk is full." },
		func(e *diagnose.Entry) { e.Means = "" },
		func(e *diagnose.Entry) { e.Remedy = "make room " },
		func(e *diagnose.Entry) { e.Link = "see the docs" },
	} {
		bad := ailing
		spoil(&bad)
		if wrongIn(bad) == nil {
			t.Errorf("nothing is wrong with %+v", bad)
		}
	}
}

var namedCause = regexp.MustCompile(`(?m)^\s*(?:- )?(?:id|cause|finding|expect|want):\s*([a-z0-9]+(?:-[a-z0-9]+)+)\s*$`)

// TestFaultsNameEntries: what testdata/faults expects to be found exists.
func TestFaultsNameEntries(t *testing.T) {
	files, err := filepath.Glob("../../testdata/faults/*/fault.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range namedCause.FindAllStringSubmatch(string(data), -1) {
			if _, ok := catalogue(t).Find(m[1]); !ok {
				t.Errorf("%s names %s, and the catalogue does not", file, m[1])
			}
		}
	}
}
