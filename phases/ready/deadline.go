package ready

import (
	"strings"
	"sync"
	"time"

	"bootstrap/phases/health"
)

// Deadline is one for all waits for the control plane: it runs from the first.
type Deadline struct {
	once sync.Once
	at   time.Time
}

// pending tells what a wait is for.
func (w *Waiter) pending(all []health.Pending) {
	parts := make([]string, len(all))
	for i, p := range all {
		parts[i] = p.Name + ": " + strings.ReplaceAll(p.Reason.Error(), "\n", "; ")
	}
	w.Tell.Waiting("%s", strings.Join(parts, "; "))
}

// ControlPlaneDeadline is when the control plane must be healthy; the first call sets and
// tells it.
func (w *Waiter) ControlPlaneDeadline() time.Time {
	w.Deadline.once.Do(func() {
		w.Deadline.at = time.Now().Add(w.Timeout)
		w.Tell.Note("the control plane must be healthy within %s (--timeout)", w.Timeout)
	})
	return w.Deadline.at
}
