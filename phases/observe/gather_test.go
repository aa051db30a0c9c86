package observe

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/diagnose"
)

// TestGather: who hangs is left behind and named, and can't write any more; notes are
// made in the order of the parts.
func TestGather(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	release := make(chan bool)
	defer close(release)
	var m diagnose.Machine
	addMasked := func(name string, wait time.Duration) part {
		return part{name, func(context.Context) (fill, error) {
			time.Sleep(wait)
			return func(m *diagnose.Machine) { m.Masked = append(m.Masked, name) }, nil
		}}
	}
	new(Looks).gather(ctx, &m, []part{
		addMasked("slow", 20*time.Millisecond),
		{"hangs", func(context.Context) (fill, error) { <-release; return nil, nil }},
		{"fails", func(context.Context) (fill, error) { return nil, errors.New("closed") }},
		addMasked("quick", 0),
	})
	if diff := cmp.Diff([]string{"slow", "quick"}, m.Masked); diff != "" {
		t.Error(diff)
	}
	if len(m.Unread) != 2 || !strings.HasPrefix(m.Unread[0], "hangs: not in time") || m.Unread[1] != "fails: closed" {
		t.Errorf("unread: %q", m.Unread)
	}
}
