// Package ready says when what is and what should be agree: it has the checks of each
// part of a node, and the waits that look for causes meanwhile. It must not make anything
// ready by itself: a probe that would make objects or restart something is a phase.
package ready

import (
	"sync"
	"time"

	"bootstrap/phases/observe"
)

// Waiter waits for what an Observer looks at.
type Waiter struct {
	*observe.Observer
	Timeout  time.Duration // bounds all waits for the control plane together, and then the one for the addons
	Deadline *Deadline     // is shared by all waits for the control plane
	Began    time.Time     // is when this run did: log lines from before belong to another
}

// Deadline is when the control plane must be healthy. All waits for it share one, which is set when
// the first of them begins.
type Deadline struct {
	once sync.Once
	at   time.Time
}

// ControlPlaneDeadline is when the control plane must be healthy. The first call sets it, and
// says so to the user.
func (w *Waiter) ControlPlaneDeadline() time.Time {
	w.Deadline.once.Do(func() {
		w.Deadline.at = time.Now().Add(w.Timeout)
		w.Tell.Say("the control plane must be healthy within %s (--timeout)", w.Timeout)
	})
	return w.Deadline.at
}
