package ready

import (
	"sync"
	"time"
)

// Deadline is one for all waits for the control plane: it runs from the first.
type Deadline struct {
	once sync.Once
	at   time.Time
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
