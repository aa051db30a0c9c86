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

// Pause is the usual pause between two rounds of Wait.
const Pause = 100 * time.Millisecond

// A probe without an answer is given up after firstTimeout, as the next one may be answered
// at once. But an API server that starts takes connections a second or two before it answers
// them, and a slow machine takes longer: so the next probe gets twice the time, up to
// lastTimeout.
const (
	firstTimeout = 3 * time.Second
	lastTimeout  = 8 * time.Second
)

// lookTimeout is for a probe that has no second try.
const lookTimeout = 5 * time.Second

// noAnswerError is a probe that was given up.
type noAnswerError struct{ within time.Duration }

func (e *noAnswerError) Error() string { return fmt.Sprintf("no answer within %s", e.within) }

// Wait probes all checks side by side, again and again, until one round finds all of
// them true. Between two rounds it pauses, and as long as the round took, up to a second:
// what is slow has no use for more questions. report is called when what is pending, or
// why, changes. When ctx ends first, the error is a *StalledError.
func Wait(ctx context.Context, pause time.Duration, checks []Check, report func([]Pending)) error {
	start := time.Now()
	longer := map[string]time.Duration{}
	timeout := func(c Check) time.Duration { return max(firstTimeout, longer[c.Name]) }
	var last []Pending
	for {
		asked := time.Now()
		pending := round(ctx, checks, timeout)
		if ctx.Err() != nil {
			// Probes cut off by the end of ctx tell nothing: keep the reasons before.
			if last == nil {
				last = pending
			}
			return &StalledError{Pending: last, After: time.Since(start), Cause: ctx.Err()}
		}
		if len(pending) == 0 {
			return nil
		}
		if describe(pending) != describe(last) {
			report(pending)
		}
		last = pending
		// Time is never taken back: on a slow machine every second round would be in vain
		// then, and no round would find all checks true.
		for _, p := range pending {
			if givenUp, ok := errors.AsType[*noAnswerError](p.Reason); ok {
				longer[p.Name] = max(longer[p.Name], min(2*givenUp.within, lastTimeout))
			}
		}
		Sleep(ctx, max(pause, min(time.Since(asked), time.Second)))
	}
}

// Look probes all checks once, side by side, and gives those that do not hold.
func Look(ctx context.Context, checks []Check) []Pending {
	return round(ctx, checks, func(Check) time.Duration { return lookTimeout })
}

func round(ctx context.Context, checks []Check, timeout func(Check) time.Duration) []Pending {
	reasons := make([]error, len(checks))
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() { reasons[i] = c.probe(ctx, timeout(c)) })
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

func (c Check) probe(ctx context.Context, timeout time.Duration) error {
	givenUp := &noAnswerError{timeout}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, givenUp)
	defer cancel()
	err := c.Probe(ctx)
	if err != nil && errors.Is(context.Cause(ctx), givenUp) {
		return givenUp
	}
	return err
}

// Sleep waits for so long, and is false when ctx ends before.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// StalledError says what was still missing when a wait ended, and why.
type StalledError struct {
	Pending []Pending
	After   time.Duration
	Cause   error // what ended the wait: context.DeadlineExceeded or context.Canceled
}

func (e *StalledError) Error() string {
	ended := "not healthy within"
	if e.Cause != nil && !errors.Is(e.Cause, context.DeadlineExceeded) {
		ended = "interrupted after" // such as by a signal
	}
	return fmt.Sprintf("%s %s, still missing: %s", ended, e.After.Round(time.Second), describe(e.Pending))
}

// Unwrap gives the Cause.
func (e *StalledError) Unwrap() error { return e.Cause }

func describe(pending []Pending) string {
	parts := make([]string, len(pending))
	for i, p := range pending {
		parts[i] = fmt.Sprintf("%s (%v)", p.Name, p.Reason)
	}
	return strings.Join(parts, "; ")
}
