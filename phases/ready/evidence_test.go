package ready

import (
	"testing"
	"time"

	"bootstrap/phases/diagnose"
)

// TestNextLook: a long wait is looked at less often.
func TestNextLook(t *testing.T) {
	certain := diagnose.Finding{Level: diagnose.Error}
	for _, c := range []struct {
		found  diagnose.Finding
		waited time.Duration
		want   time.Duration
	}{
		{diagnose.Finding{}, 2 * time.Second, LookEvery},
		{diagnose.Finding{}, time.Minute, lookRarely},
		{certain, 2 * time.Second, confirmAfter},
		{certain, time.Minute, confirmAfter},
	} {
		if got := nextLook(c.found, c.waited); got != c.want {
			t.Errorf("%s after %s: %s", c.found.Level, c.waited, got)
		}
	}
}
