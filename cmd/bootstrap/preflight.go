package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bootstrap/phases"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
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
	var told plan.Events
	env, err := o.init.env(ctx, told.Take)
	if err != nil {
		return plan.Refused(err)
	}
	defer env.Close()
	found := phases.Inspect(ctx, env)
	var fixed []string
	var fixErr error
	if o.fix && ctx.Err() == nil {
		fixed, fixErr = phases.Fix(env, found.Findings)
		told.All = nil // the second look tells it again
		found = phases.Inspect(ctx, env)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	report := newPreflightObject(found, fixed)
	report.Config = shownLines(env.Config.Warnings)
	if o.init.json {
		err = printJSON(w, report)
	} else {
		err = report.print(w, told.Texts(plan.Said, plan.Warning))
	}
	if err == nil && fixErr == nil && !report.OK {
		return plan.Refused(errors.New("init would refuse this machine"))
	}
	return errors.Join(fixErr, err)
}

// preflightObject is all of preflight -o json.
type preflightObject struct {
	Schema   string             `json:"schema"`
	OK       bool               `json:"ok"` // init would not refuse this machine
	Checks   int                `json:"checks"`
	Findings []diagnose.Finding `json:"findings"`
	Fixed    []string           `json:"fixed,omitempty"`
	Unread   []string           `json:"unread,omitempty"`
	Config   []string           `json:"configWarnings,omitempty"` // what is odd in it

	stops int // findings that stop init
}

func newPreflightObject(i observe.Inspection, fixed []string) preflightObject {
	p := preflightObject{Schema: outputVersion, Checks: i.Checks, Fixed: fixed, Unread: shownLines(i.Unread)}
	p.Findings = []diagnose.Finding{} // a list, also without any
	for _, f := range i.Findings {
		p.Findings = append(p.Findings, shownFinding(f))
		if f.Level == diagnose.Error {
			p.stops++
		}
	}
	p.OK = p.stops == 0
	return p
}

func (p preflightObject) print(w io.Writer, told []string) error {
	for _, text := range told {
		fmt.Fprintln(w, shown(text))
	}
	for _, text := range p.Config {
		fmt.Fprintln(w, "warning: "+text)
	}
	for _, fixed := range p.Fixed {
		fmt.Fprintf(w, "fixed: %s\n", fixed)
	}
	var rows []string
	if len(p.Findings) > 0 {
		rows = []string{"LEVEL\tID\tFINDING, AND WHAT TO DO"}
	}
	for _, f := range p.Findings {
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\n\t\t%s", f.Level, f.ID, f.What, f.Remedy))
	}
	if err := newTable(w, rows...).Flush(); err != nil {
		return err
	}
	for _, unread := range p.Unread {
		fmt.Fprintf(w, "not looked at: %s\n", unread)
	}
	_, err := fmt.Fprintf(w, "%d checks: %s, %s. More: bootstrap explain ID\n",
		p.Checks, count(p.stops, "error"), count(len(p.Findings)-p.stops, "warning"))
	return err
}
