package phases

import (
	"bootstrap/phases/host"
	"bootstrap/phases/plan"
)

// Event is plan's.
type Event = plan.Event

// EventKind is plan's.
type EventKind = plan.EventKind

// The kinds of events.
const (
	Started = plan.Started
	Note    = plan.Note
	Warning = plan.Warning
	Waiting = plan.Waiting
	Changed = plan.Changed
	Done    = plan.Done
	Failed  = plan.Failed
)

// CauseError is plan's.
type CauseError = plan.CauseError

// Failures is plan's.
func Failures(err error) []error { return plan.Failures(err) }

func withHint(err error, format string, args ...any) error { return plan.Hint(err, format, args...) }

func hintOf(err error) string { return plan.HintOf(err) }

func about(where string, err error) error { return plan.About(where, err) }

func whereOf(err error) string { return plan.WhereOf(err) }

func whyOf(err error) string { return plan.WhyOf(err) }

func sideBySide(parts ...func()) { plan.SideBySide(parts...) }

func each(n, atOnce int, do func(i int) error) error { return plan.Each(n, atOnce, do) }

func (e *Env) note(format string, args ...any) { e.Tell.Note(format, args...) }

func (e *Env) warn(format string, args ...any) { e.Tell.Warn(format, args...) }

func (e *Env) waiting(format string, args ...any) { e.Tell.Waiting(format, args...) }

func (e *Env) changed(c host.Change) { e.Tell.Changed(c) }

func (e *Env) report(event Event) { e.Tell.Send(event) }
