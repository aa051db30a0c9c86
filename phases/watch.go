package phases

import (
	"cmp"
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
	text string // with what was seen besides; empty if the cause says it all
	err  error  // what was seen by who waited; nil if the cause was all there was
}

func (e *CauseError) Error() string { return cmp.Or(e.text, e.What) }

// Unwrap gives what was seen without the cause.
func (e *CauseError) Unwrap() error { return e.err }

// Hint is the remedy.
func (e *CauseError) Hint() string { return e.Remedy }

const (
	// lookAfter is how long a wait goes on before causes are looked for: most end before.
	lookAfter = 2 * time.Second
	lookEvery = time.Second
	// A look costs what the machine that starts up could use.
	lookRarelyAfter = 10 * time.Second
	lookRarely      = 2 * time.Second
	// confirmAfter is when a certain cause is looked for again: it may have been passing.
	confirmAfter = 300 * time.Millisecond
)

// watch looks for causes while a wait goes on. A certain cause that two looks in a row
// have found ends the wait; a probable one is shown.
type watch struct {
	env *Env

	// What was found is read only after the looking has ended.
	probable diagnose.Finding // in the last look; zero without
	told     string           // the ID of the last probable cause that was shown
	certain  diagnose.Finding
	last     *diagnose.Evidence // nil before the first look
}

// wait waits until all checks pass, or it is certain that they can't. A plan looks at
// each once and goes on: what it would wait for is not there yet.
func (e *Env) wait(ctx context.Context, checks []health.Check, report func([]health.Pending)) error {
	if e.Host.Plans() || !e.Host.Real() {
		return e.waitPlainly(ctx, checks, report)
	}
	return e.waitAndLook(ctx, checks, report)
}

// waitAndLook waits, and looks for causes meanwhile.
func (e *Env) waitAndLook(ctx context.Context, checks []health.Check, report func([]health.Pending)) error {
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	w := &watch{env: e.waitingSince(time.Now())}
	var looking sync.WaitGroup
	looking.Go(func() { w.look(waiting, stop) })
	err := health.Wait(waiting, cmp.Or(e.pause, health.Pause), checks, report)
	stop()
	looking.Wait()
	if err == nil || ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	return w.explain(err)
}

// awaiting is for a wait for some of the static pods: the others may still be of a
// config that this run is about to replace.
func (e *Env) awaiting(components []string) *Env {
	copied := *e
	copied.awaited = components
	return &copied
}

func (e *Env) waitingSince(moment time.Time) *Env {
	copied := *e
	copied.Waits, copied.looks = moment, &looks{open: map[string]bool{}}
	return &copied
}

// waitPlainly waits without looking for causes.
func (e *Env) waitPlainly(ctx context.Context, checks []health.Check, report func([]health.Pending)) error {
	if !e.Host.Plans() {
		return health.Wait(ctx, cmp.Or(e.pause, health.Pause), checks, report)
	}
	for _, check := range checks {
		_ = check.Probe(ctx)
	}
	return nil
}

// look ends the wait when it has found why it is in vain.
func (w *watch) look(ctx context.Context, stop func()) {
	began, before := time.Now(), ""
	timer := time.NewTimer(lookAfter)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if w.last != nil && evidenceTimeout.rushed(ctx) {
			return
		}
		evidence := w.env.evidence(ctx, w.env.Began)
		if ctx.Err() != nil {
			return // what was cut off proves nothing
		}
		evidence.Remember(w.last)
		found, _ := diagnose.First(w.env.causes(evidence))
		if found.Level == diagnose.Error && found.ID == before {
			w.certain = found
			stop()
			return
		}
		w.last = evidence
		w.show(found)
		before = ""
		if found.Level == diagnose.Error {
			before = found.ID
		}
		timer.Reset(nextLook(found, time.Since(began)))
	}
}

func nextLook(found diagnose.Finding, waited time.Duration) time.Duration {
	switch {
	case found.Level == diagnose.Error:
		return confirmAfter
	case waited > lookRarelyAfter:
		return lookRarely
	}
	return lookEvery
}

// show tells a probable cause once, beside what is waited for.
func (w *watch) show(found diagnose.Finding) {
	if found.Level == diagnose.Warning && found.ID != w.told {
		w.told = found.ID
		w.env.report(Event{Kind: Warning, Cause: found.ID, Message: "this may be why it takes long: " + found.What + "; " + found.Remedy})
	}
	w.probable = found
}

// explain gives the cause of a wait that came to nothing, as far as it is known.
func (w *watch) explain(err error) error {
	if w.certain.ID != "" {
		return &CauseError{Finding: w.certain, err: err}
	}
	if w.probable.ID != "" {
		return &CauseError{Finding: w.probable, text: fmt.Sprintf("%v; perhaps: %s", err, w.probable.What), err: err}
	}
	if w.last == nil {
		return err
	}
	return &CauseError{Finding: diagnose.Unexplained(w.last, err.Error()), err: err}
}

// hintAfter adds where to look to a wait that came to nothing, unless its cause says that.
func hintAfter(err error, format string, args ...any) error {
	if !errors.As(err, new(*health.StalledError)) || errors.As(err, new(*CauseError)) {
		return err
	}
	return withHint(err, format, args...)
}

// explained adds to the failure of a step the certain cause, if there is one.
func (e *Env) explained(ctx context.Context, err error) error {
	if err == nil || e.Host.Plans() || !e.Host.Real() || ctx.Err() != nil || errors.As(err, new(*CauseError)) {
		return err
	}
	found, ok := diagnose.First(e.causes(e.evidence(ctx, e.Began)))
	if !ok || found.Level != diagnose.Error {
		return err
	}
	return &CauseError{Finding: found, text: fmt.Sprintf("%s (%v)", found.What, err), err: err}
}

// causes leaves out what the user has said to pass over.
func (e *Env) causes(evidence *diagnose.Evidence) []diagnose.Finding {
	return e.unignored(diagnose.Causes(evidence))
}
