// Package ready says when what is and what should be agree: it has the checks of each
// part of a node, and the waits that look for causes meanwhile. It must not make anything
// ready by itself: a probe that would make objects or restart something is a phase.
package ready

import (
	"sync"
	"time"

	"bootstrap/phases/observe"
)

// Waiter is who waits, and for how long.
type Waiter struct {
	*observe.Observer
	Timeout  time.Duration // of all waits for the control plane together, and then of the one for the addons
	Deadline *Deadline     // of all waits for the control plane
	Began    time.Time     // of this run: what was logged before is of another
}

// Deadline is one for all waits for the control plane. It runs from the first of them.
type Deadline struct {
	once sync.Once
	at   time.Time
}

// ControlPlaneDeadline is when the control plane must be healthy. The first call sets it, and
// says so to the user.
func (w *Waiter) ControlPlaneDeadline() time.Time {
	w.Deadline.once.Do(func() {
		w.Deadline.at = time.Now().Add(w.Timeout)
		w.Tell.Note("the control plane must be healthy within %s (--timeout)", w.Timeout)
	})
	return w.Deadline.at
}
