// Package health waits for conditions and remembers why they do not hold yet.
// It must not act on what it sees, and knows no component by name.
package health

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Check is one condition. Probe returns nil when it holds, else why it does not yet.
type Check struct {
	Name  string
	Probe func(context.Context) error
}

// Pending is a check that does not hold, and the last reason.
type Pending struct {
	Name   string
	Reason error
}

// Pause is the usual one between two rounds of a wait.
const Pause = 100 * time.Millisecond

const probeTimeout = time.Second

var errNoAnswer = fmt.Errorf("no answer within %s", probeTimeout)

// Wait probes all checks side by side, again and again with a pause between, until one
// round finds all of them true. report is called when what is pending, or why, changes. When
// ctx ends first, the error is a *StalledError.
func Wait(ctx context.Context, pause time.Duration, checks []Check, report func([]Pending)) error {
	start := time.Now()
	var last []Pending
	for {
		pending := round(ctx, checks)
		if ctx.Err() != nil {
			// Probes cut off by the end of ctx tell nothing: keep the reasons before.
			if last == nil {
				last = pending
			}
			return &StalledError{Pending: last, After: time.Since(start), cause: ctx.Err()}
		}
		if len(pending) == 0 {
			return nil
		}
		if describe(pending) != describe(last) {
			report(pending)
		}
		last = pending
		sleep(ctx, pause)
	}
}

// Look probes all checks once, side by side, and gives those that do not hold.
func Look(ctx context.Context, checks []Check) []Pending { return round(ctx, checks) }

func round(ctx context.Context, checks []Check) []Pending {
	reasons := make([]error, len(checks))
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() {
			reasons[i] = c.probe(ctx)
		})
	}
	all.Wait()
	var pending []Pending
	for i, c := range checks {
		if reasons[i] != nil {
			pending = append(pending, Pending{Name: c.Name, Reason: reasons[i]})
		}
	}
	return pending
}

func (c Check) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, probeTimeout, errNoAnswer)
	defer cancel()
	err := c.Probe(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errNoAnswer) {
		return errNoAnswer
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// StalledError says what was still missing when a wait ended, and why.
type StalledError struct {
	Pending []Pending
	After   time.Duration
	cause   error
}

func (e *StalledError) Error() string {
	// What is no deadline is a signal, or plain cancellation.
	if e.cause != nil && !errors.Is(e.cause, context.DeadlineExceeded) {
		return fmt.Sprintf("interrupted after %s, still missing: %s", e.After.Round(time.Second), describe(e.Pending))
	}
	return fmt.Sprintf("not healthy within %s, still missing: %s", e.After.Round(time.Second), describe(e.Pending))
}

// Unwrap gives what ended the wait: context.DeadlineExceeded or context.Canceled.
func (e *StalledError) Unwrap() error { return e.cause }

func describe(pending []Pending) string {
	parts := make([]string, len(pending))
	for i, p := range pending {
		parts[i] = fmt.Sprintf("%s (%v)", p.Name, p.Reason)
	}
	return strings.Join(parts, "; ")
}
