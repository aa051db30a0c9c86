package phases

import (
	"fmt"
	"time"

	"bootstrap/phases/host"
)

// EventKind says what an Event tells.
type EventKind string

// The kinds of events, in the order a phase sends them.
const (
	Started EventKind = "started"
	Note    EventKind = "note"    // a decision or finding that a user should see
	Warning EventKind = "warning" // a finding that a user should act on
	Waiting EventKind = "waiting" // what the phase waits for now; replaces the one before
	Changed EventKind = "change"  // something was changed, or would be by a plan
	Done    EventKind = "done"
	Failed  EventKind = "failed"
)

// Event is one thing that happened in a phase.
type Event struct {
	Phase   string
	Kind    EventKind
	Message string
	Cause   string        // ID in the catalogue of what a Warning is about; may be empty
	Change  host.Change   // set in Changed
	Elapsed time.Duration // of the phase; set in Done and Failed
}

func (e *Env) note(format string, args ...any) {
	e.report(Event{Kind: Note, Message: fmt.Sprintf(format, args...)})
}

func (e *Env) warn(format string, args ...any) {
	e.report(Event{Kind: Warning, Message: fmt.Sprintf(format, args...)})
}

func (e *Env) waiting(format string, args ...any) {
	e.report(Event{Kind: Waiting, Message: fmt.Sprintf(format, args...)})
}

func (e *Env) changed(c host.Change) { e.report(Event{Kind: Changed, Change: c}) }

func (e *Env) report(event Event) {
	event.Phase = e.phase
	e.Report(event)
}
