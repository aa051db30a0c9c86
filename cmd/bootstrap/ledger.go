package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bootstrap/phases/host"
	"bootstrap/phases/observe"
)

func newLedgerCommand() *cobra.Command {
	return newLookCommand("ledger", "Show what bootstrap has done on this machine",
		"text, or json: one object with all records", showLedger)
}

func showLedger(cmd *cobra.Command, on observe.Observer, asJSON bool) error {
	records := on.Host.Entries()
	if asJSON {
		return printJSON(cmd.OutOrStdout(), ledgerObject{Schema: outputVersion, Records: records})
	}
	return printRecords(cmd.OutOrStdout(), records)
}

// ledgerObject is all of ledger -o json.
type ledgerObject struct {
	Schema  string        `json:"schema"`
	Records []host.Record `json:"records"`
}

func printRecords(w io.Writer, records []host.Record) error {
	if len(records) == 0 {
		_, err := fmt.Fprintln(w, "Nothing: bootstrap has made nothing on this machine.")
		return err
	}
	table := newTable(w, "TIME\tPHASE\tEFFECT\tTARGET\tBEFORE\tSTATE")
	for _, r := range records {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Time, r.By, r.Op, printable(r.Target), beforeOf(r), stateOf(r))
	}
	return table.Flush()
}

// beforeOf is what was there before the first effect, in short words.
func beforeOf(r host.Record) string {
	b := r.Before
	switch {
	case b.Kind == host.Absent:
		return "nothing"
	case b.Mount:
		return fmt.Sprintf("mount point %04o", b.Mode)
	case b.Kind == host.Dir:
		return fmt.Sprintf("directory %04o", b.Mode)
	case b.Kind == host.File:
		return fmt.Sprintf("file %04o", b.Mode)
	case r.Op == host.OpRules:
		return "earlier rules" // a page of them
	}
	return printable(b.Value)
}

func stateOf(r host.Record) string {
	switch {
	case r.Undone:
		return "undone"
	case r.Done:
		return "done"
	}
	return "begun"
}
