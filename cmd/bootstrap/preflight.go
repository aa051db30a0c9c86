package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/spf13/cobra"

	"bootstrap/phases"
	"bootstrap/phases/diagnose"
)

type preflightOptions struct {
	init initOptions // what init would be given
	fix  bool
}

func newPreflightCommand() *cobra.Command {
	var o preflightOptions
	cmd := &cobra.Command{
		Use:   "preflight",
		Short: "Check whether init would work on this machine",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runPreflight(cmd.Context(), cmd.OutOrStdout(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.init.config, "config", "", "config file that init will be given")
	f.StringVar(&o.init.bundle, "bundle", "", "bundle that init will install from (default: as for init)")
	addIgnoreFlag(cmd, &o.init.ignore)
	boolFlag(f, &o.init.box.Standalone, "standalone", "check for init --standalone")
	f.BoolVar(&o.fix, "fix", false, "mend what can be mended without risk; reset undoes it")
	addOutputFlag(cmd, &o.init.json, "text, or json: one object with all findings")
	addRootFlag(f, &o.init.root)
	return cmd
}

func addIgnoreFlag(cmd *cobra.Command, ids *[]string) {
	cmd.Flags().StringSliceVar(ids, "ignore", nil, "IDs of findings to pass over, as in \"bootstrap explain ID\"")
}

func runPreflight(ctx context.Context, w io.Writer, o preflightOptions) error {
	o.init.dryRun = !o.fix
	env, closeEnv, err := o.init.env()
	if err != nil {
		return usage(err)
	}
	defer closeEnv()
	var report preflightReport
	env.Report = report.take
	found := phases.Inspect(ctx, env)
	var fixErr error
	if o.fix && ctx.Err() == nil {
		report.Fixed, fixErr = phases.Fix(env, found.Findings)
		report.notes = nil // they come again
		found = phases.Inspect(ctx, env)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	report.preflightObject = newPreflightObject(found, report.Fixed)
	if o.init.json {
		err = printJSON(w, report.preflightObject)
	} else {
		err = report.print(w)
	}
	if err != nil || fixErr != nil {
		return errors.Join(fixErr, err)
	}
	return report.verdict()
}

// verdict is what the exit code comes from.
func (r *preflightReport) verdict() error {
	if r.OK {
		return nil
	}
	return usage(errors.New("init would refuse this machine"))
}

// preflightObject is all of preflight -o json.
type preflightObject struct {
	Schema   string             `json:"schema"`
	OK       bool               `json:"ok"` // init would not refuse this machine
	Checks   int                `json:"checks"`
	Findings []diagnose.Finding `json:"findings"`
	Fixed    []string           `json:"fixed,omitempty"`
	Unread   []string           `json:"unread,omitempty"`
}

func newPreflightObject(i phases.Inspection, fixed []string) preflightObject {
	stops := slices.ContainsFunc(i.Findings, func(f diagnose.Finding) bool { return f.Level == diagnose.Error })
	found := []diagnose.Finding{} // a list, also without any
	for _, f := range i.Findings {
		f.What, f.Excerpt = shown(f.What), shownLines(f.Excerpt)
		found = append(found, f)
	}
	return preflightObject{Schema: outputVersion, OK: !stops, Checks: i.Checks, Fixed: fixed, Unread: shownLines(i.Unread), Findings: found}
}

// preflightReport is the object with what was decided meanwhile, for people.
type preflightReport struct {
	preflightObject
	mu    sync.Mutex
	notes []string
}

// take keeps notes and warnings: nothing else is of interest here.
func (r *preflightReport) take(e phases.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Kind == phases.Note || e.Kind == phases.Warning {
		r.notes = append(r.notes, shown(e.Message))
	}
}

func (r *preflightReport) print(w io.Writer) error {
	for _, note := range r.notes {
		fmt.Fprintln(w, note)
	}
	for _, fixed := range r.Fixed {
		fmt.Fprintf(w, "fixed: %s\n", fixed)
	}
	table := newTable(w)
	if len(r.Findings) > 0 {
		fmt.Fprintln(table, "LEVEL\tID\tFINDING, AND WHAT TO DO")
	}
	for _, f := range r.Findings {
		fmt.Fprintf(table, "%s\t%s\t%s\n\t\t%s\n", f.Level, f.ID, f.What, f.Remedy)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, unread := range r.Unread {
		fmt.Fprintf(w, "not looked at: %s\n", unread)
	}
	_, err := fmt.Fprintln(w, r.summary())
	return err
}

func (r *preflightReport) summary() string {
	stops := 0
	for _, f := range r.Findings {
		if f.Level == diagnose.Error {
			stops++
		}
	}
	switch {
	case len(r.Findings) == 0 && len(r.Unread) == 0:
		return fmt.Sprintf("%d checks, all fine.", r.Checks)
	case len(r.Findings) == 0:
		return fmt.Sprintf("%d checks, nothing found.", r.Checks)
	}
	return fmt.Sprintf("%d checks: %s, %s. More: bootstrap explain ID", r.Checks, count(stops, "error"), count(len(r.Findings)-stops, "warning"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
