package ready

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"bootstrap/phases/health"
)

// mostTimeouts is how many times its timeout a wait may last while it makes progress.
const mostTimeouts = 3

// Deadline is when what is waited for must be there. It is put off while something new comes up, as on a
// machine that is only slow. All waits for the control plane share one.
type Deadline struct {
	mu       sync.Mutex
	began    time.Time // zero before the first wait
	at       time.Time
	progress time.Time // when something was last seen that was not seen before
	seen     map[string]bool
}

// begin tells whether this is the first wait.
func (d *Deadline) begin(timeout time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.began.IsZero() {
		return false
	}
	d.began = time.Now()
	d.at, d.progress, d.seen = d.began.Add(timeout), d.began, map[string]bool{}
	return true
}

func (d *Deadline) until() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at
}

// numbers differ each time that something is tried in vain: a new one is no progress.
var numbers = regexp.MustCompile(`\d+`)

// note takes what is pending for progress if it was never pending like that, or is no more.
func (d *Deadline) note(pending []health.Pending) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(pending) == 0 {
		d.progress = time.Now()
		return
	}
	states := []string{fmt.Sprint(len(pending))}
	for _, p := range pending {
		states = append(states, p.Name+numbers.ReplaceAllString(p.Reason.Error(), ""))
	}
	for _, state := range states {
		if !d.seen[state] {
			d.seen[state], d.progress = true, time.Now()
		}
	}
}

// putOff gives more time after the last progress, and tells whether there is any left.
func (d *Deadline) putOff(timeout time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	later, most := d.progress.Add(timeout/2), d.began.Add(mostTimeouts*timeout)
	if later.After(most) {
		later = most
	}
	if later.After(d.at) {
		d.at = later
	}
	return time.Now().Before(d.at)
}

// waitUntil is Wait, for as long as the deadline gives.
func (w *Waiter) waitUntil(ctx context.Context, wait Wait, d *Deadline) error {
	d.begin(w.Timeout)
	wait.deadline = d
	for {
		bounded, cancel := context.WithDeadline(ctx, d.until())
		err := w.Wait(bounded, wait)
		cancel()
		if err == nil {
			d.note(nil)
		}
		tooLate := errors.As(err, new(*health.StalledError)) && errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
		if !tooLate || !d.putOff(w.Timeout) {
			return err
		}
		w.Tell.Say("it is late, and goes on coming up: waited for until %s", d.until().Format(time.TimeOnly))
	}
}

// WaitWithin is Wait for as long as the timeout of this run gives.
func (w *Waiter) WaitWithin(ctx context.Context, wait Wait) error {
	return w.waitUntil(ctx, wait, &Deadline{})
}
