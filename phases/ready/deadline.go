package ready

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"sync"
	"time"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/health"
	"bootstrap/phases/machine"
	"bootstrap/phases/plan"
)

// mostTimeouts is how many times its timeout a wait may last while it makes progress.
const mostTimeouts = 3

// Deadline is when what is waited for must be there. It is put off while more comes up, and while the machine is
// busy: it may only be slow. All waits for the control plane share one.
type Deadline struct {
	once     sync.Once // when the first wait begins
	began    time.Time
	mu       sync.Mutex
	progress time.Time // when something was last seen that was not seen before
	seen     map[string]bool
}

// begin tells whether this is the first wait.
func (d *Deadline) begin() (first bool) {
	d.once.Do(func() { d.began, d.progress, d.seen, first = time.Now(), time.Now(), map[string]bool{}, true })
	return first
}

// at is when it ends, as things are: half a timeout after the last progress, if that is later.
func (d *Deadline) at(timeout time.Duration) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	late := d.progress.Sub(d.began) + timeout/2
	return d.began.Add(min(max(timeout, late), mostTimeouts*timeout))
}

// digits differ each time that something is tried in vain, in counts, times and IDs.
var digits = regexp.MustCompile(`[0-9a-f]*[0-9][0-9a-f]*`)

// note takes what is pending for progress if it was never pending like that.
func (d *Deadline) note(pending []health.Pending) {
	d.mu.Lock()
	defer d.mu.Unlock()
	states := []string{strconv.Itoa(len(pending))}
	for _, p := range pending {
		states = append(states, p.Name+digits.ReplaceAllString(p.Reason.Error(), ""))
	}
	for _, state := range states {
		if !d.seen[state] {
			d.seen[state], d.progress = true, time.Now()
		}
	}
}

// goOn gives half a timeout more from now on.
func (d *Deadline) goOn() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.progress = time.Now()
}

// waitUntil is Wait, for as long as the deadline gives.
func (w *Waiter) waitUntil(ctx context.Context, wait Wait, d *Deadline) error {
	d.begin()
	d.goOn() // where this is not the first wait, phases have done their work since
	wait.deadline = d
	for {
		bounded, cancel := context.WithDeadline(ctx, d.at(w.Timeout))
		err := w.Wait(bounded, wait)
		cancel()
		if err == nil {
			d.goOn()
		}
		tooLate := errors.As(err, new(*health.StalledError)) && errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
		if !tooLate {
			return err
		}
		why := "goes on coming up"
		if d.isOver(w.Timeout) && w.isOnlySlow(err) {
			d.goOn()
			why = "the machine is busy"
		}
		if d.isOver(w.Timeout) {
			return err
		}
		w.Tell.Say("it is late, and %s: waited for until %s", why, d.at(w.Timeout).Format(time.TimeOnly))
	}
}

func (d *Deadline) isOver(timeout time.Duration) bool { return !d.at(timeout).After(time.Now()) }

// isOnlySlow tells whether a busy machine is all that is known of why a wait came to nothing.
func (w *Waiter) isOnlySlow(err error) bool {
	return !isNamed(err) && w.Host.Real() && diagnose.Crowded(machine.Crowding())
}

// isNamed tells whether a cause is known, be it only a probable one.
func isNamed(err error) bool {
	cause, ok := errors.AsType[*plan.CauseError](err)
	return ok && cause.ID != diagnose.NoKnownCause
}

// WaitWithin is Wait for as long as the timeout of this run gives.
func (w *Waiter) WaitWithin(ctx context.Context, wait Wait) error {
	return w.waitUntil(ctx, wait, &Deadline{})
}
