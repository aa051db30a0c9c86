package plan

import (
	"fmt"
	"slices"
	"sync"

	"bootstrap/phases/host"
)

// EventKind says what an Event tells.
type EventKind string

// The kinds of events, in the order a phase sends them.
const (
	Started EventKind = "started"
	Said    EventKind = "note"    // a decision or finding that a user should see; in JSON a note
	Warning EventKind = "warning" // a finding that a user should act on
	Waiting EventKind = "waiting" // what the phase waits for now; replaces the one before
	Changed EventKind = "change"  // something was changed, or would be by a dry run
	Done    EventKind = "done"
	Failed  EventKind = "failed"
)

// Event is one thing that happened in a phase.
type Event struct {
	Kind    EventKind   `json:"event"`
	Phase   string      `json:"phase"`
	Message string      `json:"message,omitempty"`
	Cause   string      `json:"cause,omitempty"`   // ID in the catalogue of what a Warning is about
	Change  host.Change `json:"change,omitzero"`   // set in Changed
	Seconds float64     `json:"seconds,omitempty"` // that the phase took; set in Done and Failed
}

// Teller sends the events of one phase. The zero value tells nobody.
type Teller struct {
	Phase string
	To    func(Event) // called from several goroutines at once; may be nil
}

// For is the same for another phase.
func (t Teller) For(phase string) Teller { return Teller{Phase: phase, To: t.To} }

// Say tells a decision or finding that a user should see.
func (t Teller) Say(format string, args ...any) {
	t.Send(Event{Kind: Said, Message: fmt.Sprintf(format, args...)})
}

// Warn tells a finding that a user should act on.
func (t Teller) Warn(format string, args ...any) {
	t.Send(Event{Kind: Warning, Message: fmt.Sprintf(format, args...)})
}

// Waiting tells what is waited for now.
func (t Teller) Waiting(format string, args ...any) {
	t.Send(Event{Kind: Waiting, Message: fmt.Sprintf(format, args...)})
}

// Changed tells of a change to the machine or the cluster.
func (t Teller) Changed(c host.Change) { t.Send(Event{Kind: Changed, Change: c}) }

// Send sends an event as one of this phase.
func (t Teller) Send(event Event) {
	if t.To == nil {
		return
	}
	event.Phase = t.Phase
	t.To(event)
}

// Events collects what a Teller tells. The zero value is ready for use.
type Events struct {
	mu  sync.Mutex
	All []Event
}

// Take is what a Teller sends To.
func (e *Events) Take(event Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.All = append(e.All, event)
}

// Texts are the messages of these kinds, in order.
func (e *Events) Texts(kinds ...EventKind) []string {
	var texts []string
	for _, event := range e.All {
		if slices.Contains(kinds, event.Kind) {
			texts = append(texts, event.Message)
		}
	}
	return texts
}
