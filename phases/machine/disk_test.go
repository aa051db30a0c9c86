package machine

import (
	"slices"
	"testing"
	"time"
)

// TestClearlyFast: etcd's writes are not tried on for longer than it takes to tell that
// all is well; a disk that may be slow is measured to the end.
func TestClearlyFast(t *testing.T) {
	writes := func(n int, slow ...time.Duration) []time.Duration {
		return append(slow, slices.Repeat([]time.Duration{200 * time.Microsecond}, n-len(slow))...)
	}
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		took []time.Duration
		want bool
	}{
		"too few":            {writes(syncsClear - 1), false},
		"fast":               {writes(syncsClear), true},
		"two were held up":   {writes(syncsClear, 300*ms, 12*ms), true},
		"one in 67 is slow":  {writes(syncsClear, 9*ms, 9*ms, 9*ms), false},
		"on its way already": {writes(syncsClear+1, 9*ms, 9*ms, 9*ms), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := clearlyFast(c.took); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
