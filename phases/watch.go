package phases

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/health"
)

// CauseError is a wait or a step that came to nothing, and why.
type CauseError struct {
	diagnose.Finding
	err error // what was seen by who waited; nil if the cause was all there was
}

func (e *CauseError) Error() string { return e.What }

// Unwrap gives what was seen without the cause.
func (e *CauseError) Unwrap() error { return e.err }

// Hint is the remedy.
func (e *CauseError) Hint() string { return e.Remedy }

const (
	// lookAfter is how long a wait goes on before causes are looked for: most end before.
	lookAfter = time.Second
	lookEvery = time.Second
)

// watch looks for causes while a wait goes on. A certain cause that two looks in a row
// have found ends the wait; a probable one is shown.
type watch struct {
	env *Env

	mu       sync.Mutex
	pending  []health.Pending
	probable diagnose.Finding // zero without
	certain  diagnose.Finding
}

// wait waits until all checks pass, or it is certain that they can't. A plan looks at
// each once and goes on: what it would wait for is not there yet.
func (e *Env) wait(ctx context.Context, checks []health.Check, report func([]health.Pending)) error {
	if e.Host.Plans() || !e.Host.Real() {
		return e.waitPlainly(ctx, checks, report)
	}
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	w := &watch{env: e}
	var looking sync.WaitGroup
	looking.Go(func() { w.look(waiting, stop) })
	err := health.Wait(waiting, checks, func(pending []health.Pending) {
		report(pending)
		w.waitsFor(pending)
	})
	stop()
	looking.Wait()
	if err == nil || ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	return w.explain(err)
}

// waitPlainly waits without looking for causes.
func (e *Env) waitPlainly(ctx context.Context, checks []health.Check, report func([]health.Pending)) error {
	if !e.Host.Plans() {
		return health.Wait(ctx, checks, report)
	}
	for _, check := range checks {
		_ = check.Probe(ctx)
	}
	return nil
}

func (w *watch) waitsFor(pending []health.Pending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = pending
}

// look ends the wait when it has found why it is in vain.
func (w *watch) look(ctx context.Context, stop func()) {
	timer := time.NewTimer(lookAfter)
	defer timer.Stop()
	before := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		found, ok := diagnose.First(diagnose.Causes(w.env.evidence(ctx, w.env.Began)))
		if ctx.Err() != nil {
			return // what was cut off proves nothing
		}
		if ok && found.Level == diagnose.Error && found.ID == before {
			w.mu.Lock()
			w.certain = found
			w.mu.Unlock()
			stop()
			return
		}
		before = ""
		if ok && found.Level == diagnose.Error {
			before = found.ID
		}
		w.show(found, ok)
		timer.Reset(lookEvery)
	}
}

// show tells a probable cause once, beside what is waited for.
func (w *watch) show(found diagnose.Finding, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !ok {
		w.probable = diagnose.Finding{}
		return
	}
	if found.ID != w.probable.ID && found.Level == diagnose.Warning {
		w.env.warn("this may be why it takes long (%s): %s; %s", found.ID, found.What, found.Remedy)
	}
	w.probable = found
}

// explain gives the cause of a wait that came to nothing, as far as it is known.
func (w *watch) explain(err error) error {
	if w.certain.ID != "" {
		return &CauseError{Finding: w.certain, err: err}
	}
	if w.probable.ID == "" {
		return err
	}
	return &CauseError{Finding: w.probable, err: err}
}

// unexplained tells that a wait came to nothing, and that its cause is not known: else
// the remedy is the hint.
func unexplained(err error) bool {
	return errors.As(err, new(*health.StalledError)) && !errors.As(err, new(*CauseError))
}

// explained adds to the failure of a step the certain cause, if there is one.
func (e *Env) explained(ctx context.Context, err error) error {
	if err == nil || e.Host.Plans() || !e.Host.Real() || ctx.Err() != nil || errors.As(err, new(*CauseError)) {
		return err
	}
	found, ok := diagnose.First(diagnose.Causes(e.evidence(ctx, e.Began)))
	if !ok || found.Level != diagnose.Error {
		return err
	}
	return &CauseError{Finding: found, err: fmt.Errorf("%s: %w", found.ID, err)}
}
