package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/locate"
	"bootstrap/phases/plan"
)

func newExplainCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain [ID]",
		Short: "Explain what can be wrong, and what to do about it",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return plan.Refused(runExplain(cmd, first(args), asJSON))
		},
	}
	addOutputFlag(cmd, &asJSON, "text, or json: one object with all entries, or the one asked for")
	return cmd
}

func runExplain(cmd *cobra.Command, id string, asJSON bool) error {
	entries, err := diagnose.ReadCatalogue()
	if err != nil {
		return err
	}
	if id != "" {
		entry, ok := entries.Find(id)
		if !ok {
			return wrongCall(cmd, unknownID(id, entries))
		}
		entries = diagnose.Catalogue{entry}
	}
	w := cmd.OutOrStdout()
	switch {
	case asJSON:
		return printJSON(w, causesObject{Schema: outputVersion, Causes: causeLines(entries)})
	case id != "":
		_, err := fmt.Fprintf(w, "%s: %s\n\n%s", id, entries[0].Title, explained(entries[0]))
		return err
	}
	return printCauses(w, entries)
}

func printCauses(w io.Writer, entries diagnose.Catalogue) error {
	table := newTable(w, "ID\tFOUND\tTITLE")
	for _, e := range entries {
		fmt.Fprintf(table, "%s\t%s\t%s\n", e.ID, strings.Join(foundIn(e), ", "), e.Title)
	}
	return table.Flush()
}

// explained is all about an entry but its name.
func explained(e diagnose.Entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nFound: %s.\n\nWhat to do: %s\n", e.Means, howFound(e), e.Remedy)
	if e.Link != "" {
		fmt.Fprintf(&b, "\nMore: %s\n", e.Link)
	}
	return b.String()
}

// foundIn says in one word each when an entry is looked for.
func foundIn(e diagnose.Entry) []string {
	var when []string
	if e.Check != nil || e.Decided {
		when = append(when, "preflight")
	}
	if e.Cause != nil || when == nil { // without a Cause, it is what a wait ends with
		when = append(when, "live")
	}
	return when
}

func howFound(e diagnose.Entry) string {
	switch when := foundIn(e); {
	case len(when) == 2:
		return "by preflight, before anything is changed, and while init waits or status looks"
	case when[0] == "preflight":
		return "by preflight, before anything is changed"
	}
	return "while init waits or status looks"
}

func unknownID(id string, entries diagnose.Catalogue) error {
	var known []string
	for _, e := range entries {
		known = append(known, e.ID)
	}
	return fmt.Errorf("nothing has the ID %q%s", id, locate.DidYouMean(id, known))
}

// causesObject is all of explain -o json.
type causesObject struct {
	Schema string      `json:"schema"`
	Causes []causeLine `json:"causes"`
}

type causeLine struct {
	ID     string   `json:"id"`
	Title  string   `json:"title"`
	Means  string   `json:"means"`
	Found  []string `json:"found"` // preflight, live
	Remedy string   `json:"remedy"`
	Link   string   `json:"link,omitempty"`
}

func causeLines(entries diagnose.Catalogue) []causeLine {
	lines := make([]causeLine, 0, len(entries))
	for _, e := range entries {
		lines = append(lines, causeLine{ID: e.ID, Title: e.Title, Means: e.Means, Found: foundIn(e), Remedy: e.Remedy, Link: e.Link})
	}
	return lines
}
