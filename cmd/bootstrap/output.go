package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"bootstrap/phases"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/plan"
	"bootstrap/phases/redact"
	"bootstrap/phases/staticpods"
)

// outputVersion is the schema of -o json; fields may be added to it.
const outputVersion = "bootstrap/v1alpha1"

const eventsAsJSON = "text, or json: one event per line, and the result at the end"

// addOutputFlag adds --output to a command and those below it.
func addOutputFlag(cmd *cobra.Command, asJSON *bool, text string) {
	formats := []string{"text", "json"}
	cmd.PersistentFlags().FuncP("output", "o", text, func(format string) error {
		*asJSON = format == "json"
		if !slices.Contains(formats, format) {
			return errors.New("want text or json")
		}
		return nil
	})
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)) // it is there
}

// output shows what a command does and how it ends.
type output struct {
	result           // as far as it is known
	timed  bool      // the text ends with the time that each phase took
	start  time.Time // of the command
	text   *progress // nil for JSON

	mu sync.Mutex // several phases report at once
}

func newOutput(asJSON, dryRun bool) *output {
	o := &output{result: result{Schema: outputVersion, Event: "result", DryRun: dryRun}, start: time.Now()}
	if !asJSON {
		o.text = newProgress(os.Stdout, dryRun)
	}
	return o
}

// result is the last line of -o json.
type result struct {
	Schema  string              `json:"schema"`
	Event   string              `json:"event"` // result
	OK      bool                `json:"ok"`
	DryRun  bool                `json:"dryRun"`
	Changes int                 `json:"changes"`
	Seconds float64             `json:"seconds"`
	Phases  []phaseTiming       `json:"phases,omitempty"` // that have ended, in the order they did
	Errors  []errorLine         `json:"errors,omitempty"`
	Clean   *bool               `json:"clean,omitempty"` // of reset: nothing is left
	Left    []phases.Left       `json:"left,omitempty"`
	Pod     *staticpods.Handled `json:"pod,omitempty"` // of static-pod
}

// phaseTiming is when a phase began, since the command did, and how long it took.
type phaseTiming struct {
	Phase   string  `json:"phase"`
	Began   float64 `json:"began"`
	Seconds float64 `json:"seconds"`
}

type errorLine struct {
	Message string   `json:"message"`
	Hint    string   `json:"hint,omitempty"`
	Cause   string   `json:"cause,omitempty"` // ID in the catalogue
	See     string   `json:"see,omitempty"`
	Excerpt []string `json:"excerpt,omitempty"`
}

// eventLine is one event of -o json.
type eventLine struct {
	Schema string `json:"schema"`
	plan.Event
}

func (o *output) report(e plan.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e = shownEvent(e)
	switch e.Kind {
	case plan.Changed:
		o.Changes++
	case plan.Done, plan.Failed:
		took := time.Duration(e.Seconds * float64(time.Second))
		o.Phases = append(o.Phases, phaseTiming{e.Phase, seconds(time.Since(o.start) - took), seconds(took)})
	}
	if o.text != nil {
		o.text.report(e)
		return
	}
	_ = printJSON(os.Stdout, eventLine{outputVersion, e}) // the command goes on where nobody reads
}

// printJSON writes a value on one line.
func printJSON(w io.Writer, line any) error { return json.NewEncoder(w).Encode(line) }

// newTable has rows whose columns are parted by tabs. More are written to it, until Flush
// prints them.
func newTable(w io.Writer, rows ...string) *tabwriter.Writer {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(table, row)
	}
	return table
}

func (o *output) elapsed() time.Duration { return time.Since(o.start).Round(100 * time.Millisecond) }

// say prints text for people. JSON has the same in its result.
func (o *output) say(text string) {
	if o.text != nil {
		o.text.say(text)
	}
}

// end shows the result, and returns err.
func (o *output) end(err error) error {
	if o.text == nil {
		o.OK, o.Seconds, o.Errors = err == nil, time.Since(o.start).Seconds(), errorLines(err)
		_ = printJSON(os.Stdout, o.result)
		return err
	}
	if err == nil && o.Clean == nil && o.Pod == nil { // else say has shown it
		o.text.say(o.summary())
	}
	if o.timed {
		o.text.say(timingsTable(o.Phases))
	}
	o.text.end()
	return err
}

func (o *output) summary() string {
	switch {
	case o.Changes == 0 && o.DryRun:
		return "Nothing would be changed.\n"
	case o.Changes == 0:
		return "Nothing to change: all was so already.\n"
	case o.DryRun:
		return count(o.Changes, "change") + " would be made. Nothing was changed.\n"
	}
	return ""
}

// seconds are rounded to what can be measured.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

func timingsTable(all []phaseTiming) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-20s %9s %9s\n", "phase", "began at", "took")
	for _, p := range all {
		fmt.Fprintf(&b, "%-20s %7.3f s %7.3f s\n", p.Phase, p.Began, p.Seconds)
	}
	return b.String()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// shown is what may be shown of text that others wrote, such as logs: secrets are taken
// out of it.
func shown(text string) string { return redact.Text(text) }

func shownLines(lines []string) []string {
	var all []string
	for _, line := range lines {
		all = append(all, shown(line))
	}
	return all
}

func shownFinding(f diagnose.Finding) diagnose.Finding {
	f.What, f.Excerpt = shown(f.What), shownLines(f.Excerpt)
	return f
}

// shownEvent is an event without the secrets that warnings and waits can quote from others. What
// a phase says is left as it is, as it can hold a token that the user has asked for.
func shownEvent(e plan.Event) plan.Event {
	if e.Kind == plan.Warning || e.Kind == plan.Waiting {
		e.Message = shown(e.Message)
	}
	return e
}

// printable keeps a name on one line and in one column, and a terminal out of the hands of
// whoever gave it. An empty one is a dash.
func printable(s string) string {
	if s == "" {
		return "-"
	}
	if quoted := fmt.Sprintf("%q", s); quoted != `"`+s+`"` || strings.Contains(s, " ") {
		return quoted
	}
	return s
}

// age is rounded down to one unit, the largest of which there are two.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(max(d, 0).Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", d/day)
}

func errorLines(err error) []errorLine {
	var lines []errorLine
	for _, each := range plan.Failures(err) {
		lines = append(lines, newErrorLine(each))
	}
	return lines
}

// newErrorLine is what can be shown of one error, without secrets.
func newErrorLine(err error) errorLine {
	line := errorLine{Message: shown(err.Error()), Hint: shown(plan.HintOf(err))}
	if cause := (*plan.CauseError)(nil); errors.As(err, &cause) {
		line.Cause, line.See, line.Excerpt = cause.ID, cause.See, shownLines(cause.Excerpt)
	}
	return line
}
