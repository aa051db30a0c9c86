// Package plantest helps tests to see what is told and which errors come. It must not be
// imported outside of tests.
package plantest

import (
	"strings"
	"sync"
	"testing"

	"bootstrap/phases/plan"
)

// Events collects what is told. The zero value is ready for use.
type Events struct {
	mu  sync.Mutex
	All []plan.Event
}

// Take is told an event.
func (e *Events) Take(event plan.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.All = append(e.All, event)
}

// Texts are the messages of one kind, in order.
func (e *Events) Texts(kind plan.EventKind) []string {
	var texts []string
	for _, event := range e.All {
		if event.Kind == kind {
			texts = append(texts, event.Message)
		}
	}
	return texts
}

// CheckError wants an error that contains each of the texts, in its hint as well.
func CheckError(t testing.TB, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	message := err.Error()
	if hint := plan.HintOf(err); hint != "" {
		message += "; hint: " + hint
	}
	for _, text := range want {
		if !strings.Contains(message, text) {
			t.Errorf("%q lacks %q", message, text)
		}
	}
}
