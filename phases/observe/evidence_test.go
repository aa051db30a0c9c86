package observe

import (
	"context"
	"testing"
	"time"
)

// TestAddonsAwaited: only where the addons have the form that is wanted, what ails them is certain.
func TestAddonsAwaited(t *testing.T) {
	o := testObserver(t, "default")
	for stage, want := range map[Stage]bool{Begun: false, Serving: false, Written: false, Complete: true} {
		if got := o.Evidence(t.Context(), Query{Stage: stage, Since: time.Now()}).Addons; got != want {
			t.Errorf("at stage %d: %t", stage, got)
		}
	}
}

// TestRushed: near its end a wait looks no more, and one without an end always may.
func TestRushed(t *testing.T) {
	for left, want := range map[time.Duration]bool{0: false, 100 * time.Millisecond: true, time.Minute: false} {
		ctx := t.Context()
		if left > 0 {
			bounded, cancel := context.WithTimeout(ctx, left)
			defer cancel()
			ctx = bounded
		}
		if got := EvidenceTimeout.Rushed(ctx); got != want {
			t.Errorf("%s before the end (0: none): %t", left, got)
		}
	}
}
