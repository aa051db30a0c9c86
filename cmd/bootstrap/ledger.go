package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"bootstrap/phases"
	"bootstrap/phases/host"
)

type ledgerOptions struct {
	output string
	root   string
}

func newLedgerCommand() *cobra.Command {
	var o ledgerOptions
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Show what bootstrap has done on this machine",
		Long: `Show what bootstrap has done on this machine, oldest first: when and by which
phase, what was there before, and how far it is.

  done    it was made
  begun   it may have been made: the run ended before it could say so
  undone  what was there before is there again

It reads /var/lib/bootstrap/ledger and changes nothing, also while init or reset runs.

Exit codes:
  0  done
  2  usage, not root, or the ledger can't be read`,
		Example: `  sudo bootstrap ledger
  sudo bootstrap ledger --output json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return usage(runLedger(cmd.OutOrStdout(), o)) },
	}
	cmd.Flags().StringVarP(&o.output, "output", "o", "text", "text, or json: one object with all records")
	cmd.Flags().StringVar(&o.root, "root", "/", "directory that stands for this machine's root")
	return cmd
}

func runLedger(w io.Writer, o ledgerOptions) error {
	asJSON, err := isJSON(o.output)
	if err != nil {
		return err
	}
	if _, err := os.Stat(o.root); err != nil {
		return err
	}
	records, err := host.LedgerRecords(o.root)
	if errors.Is(err, fs.ErrPermission) {
		return phases.ErrNotRoot
	}
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(w, ledgerObject{Schema: outputVersion, Records: records})
	}
	return printRecords(w, records)
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
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TIME\tPHASE\tEFFECT\tTARGET\tBEFORE\tSTATE")
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
	case b.Value == "":
		return "-"
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

// printable keeps one record on one line, and a terminal out of the hands of whoever
// named a file.
func printable(s string) string {
	if quoted := fmt.Sprintf("%q", s); quoted != `"`+s+`"` || strings.Contains(s, " ") {
		return quoted
	}
	return s
}
