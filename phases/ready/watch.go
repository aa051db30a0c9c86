package ready

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/health"
	"bootstrap/phases/host"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
)

const (
	// lookAfter is how long a wait goes on before causes are looked for: most waits end before.
	lookAfter = 2 * time.Second
	// LookEvery is the time between two looks.
	LookEvery = time.Second
	// LookRarelyAfter is when looks become rarer in a long wait: each takes CPU time that the
	// components that start could use.
	LookRarelyAfter = 10 * time.Second
	lookRarely      = 2 * time.Second
	// confirmAfter is how soon after a certain cause the next look comes: the cause may have passed.
	confirmAfter = 300 * time.Millisecond
)

// Wait is what is waited for, and how.
type Wait struct {
	Checks []health.Check
	Stage  observe.Stage
	Pause  time.Duration // between two rounds of probes; zero for the usual one
	// Look gathers evidence that causes are looked for in; nil for Observer.Evidence.
	Look func(context.Context, observe.Query) *diagnose.Evidence
	// AsItIs waits also on a Host that only plans: nothing was planned that would have to come up.
	AsItIs bool

	deadline *Deadline // is told of progress; nil where none counts
}

// watch looks for causes while a wait goes on. A certain cause that two looks in a row have found
// ends the wait. Of a probable one the user is warned.
type watch struct {
	waiter *Waiter
	look   func(context.Context, observe.Query) *diagnose.Evidence
	query  observe.Query

	// What was found is read only after the looking has ended.
	found   diagnose.Finding   // the cause that the last look has found; zero without
	certain bool               // whether two looks in a row were certain of it
	shown   string             // the ID of the last probable cause that the user was warned of
	last    *diagnose.Evidence // nil before the first look
}

// Wait waits until all checks pass, or until it is certain that they can't. It does not look for
// causes in a dry run, nor where a directory stands for the machine: there are none to find.
func (w *Waiter) Wait(ctx context.Context, wait Wait) error {
	if w.dry(wait) || !w.Host.Real() {
		return w.probe(ctx, wait, w.pending)
	}
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	query := observe.Query{Stage: wait.Stage, Since: w.Began, Waits: time.Now(), Looks: &observe.Looks{}}
	seen := &watch{waiter: w, look: wait.Look, query: query}
	if seen.look == nil {
		seen.look = w.Evidence
	}
	var looking sync.WaitGroup
	looking.Go(func() { seen.watch(waiting, stop) })
	err := w.probe(waiting, wait, w.pending)
	stop()
	looking.Wait()
	if err == nil || ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	return seen.explain(err)
}

// WaitSilently waits without looking for causes, and does not tell what it waits for.
func (w *Waiter) WaitSilently(ctx context.Context, checks []health.Check) error {
	return w.probe(ctx, Wait{Checks: checks}, func([]health.Pending) {})
}

// probe waits until all checks pass. In a dry run it probes once and goes on: what would be waited
// for is not there.
func (w *Waiter) probe(ctx context.Context, wait Wait, report func([]health.Pending)) error {
	if w.dry(wait) {
		health.Look(ctx, wait.Checks)
		return nil
	}
	if wait.deadline == nil {
		return health.Wait(ctx, cmp.Or(wait.Pause, health.Pause), wait.Checks, report)
	}
	err := health.Wait(ctx, cmp.Or(wait.Pause, health.Pause), wait.Checks, func(all []health.Pending) {
		wait.deadline.note(all)
		report(all)
	})
	if late := (*health.StalledError)(nil); errors.As(err, &late) {
		late.After = time.Since(wait.deadline.began) // the time that was given, be it to waits before this one
	}
	return err
}

func (w *Waiter) dry(wait Wait) bool { return w.Host.Plans() && !wait.AsItIs }

// pending shows the user what is still waited for.
func (w *Waiter) pending(all []health.Pending) {
	parts := make([]string, len(all))
	for i, p := range all {
		parts[i] = p.Name + ": " + strings.ReplaceAll(p.Reason.Error(), "\n", "; ")
	}
	w.Tell.Waiting("%s", strings.Join(parts, "; "))
}

// watch looks until ctx ends, and calls stop when it is certain that the wait is in vain.
func (w *watch) watch(ctx context.Context, stop func()) {
	began, pause := time.Now(), lookAfter
	for health.Sleep(ctx, pause) {
		if w.last != nil && observe.EvidenceTimeout.Rushed(ctx) {
			return
		}
		looked := time.Now()
		evidence := w.look(ctx, w.query)
		if ctx.Err() != nil {
			return // a look that was cut off proves nothing
		}
		evidence.Remember(w.last)
		before := w.found
		w.found, _ = diagnose.First(w.waiter.causes(evidence))
		if w.found.Level == diagnose.Error && before.Level == diagnose.Error && w.found.ID == before.ID {
			w.certain = true
			stop()
			return
		}
		w.last = evidence
		w.show()
		pause = nextLook(w.found, time.Since(began), time.Since(looked))
	}
}

// nextLook pauses at least as long as a look took, as health.Wait does between its rounds: where looks take seconds,
// what is waited for needs the CPU.
func nextLook(found diagnose.Finding, waited, took time.Duration) time.Duration {
	switch {
	case found.Level == diagnose.Error:
		return confirmAfter
	case waited > LookRarelyAfter:
		return max(lookRarely, took)
	}
	return max(LookEvery, took)
}

// show warns of a probable cause, unless it was the last that the user was warned of.
func (w *watch) show() {
	if w.found.Level == diagnose.Warning && w.found.ID != w.shown {
		w.shown = w.found.ID
		w.waiter.Tell.Send(plan.Event{Kind: plan.Warning, Cause: w.found.ID, Message: "this may be why it takes long: " + w.found.What + "; " + w.found.Remedy})
	}
}

// explain adds to the error of a wait why it came to nothing, as far as that is known.
func (w *watch) explain(err error) error {
	switch {
	case w.certain:
		return &plan.CauseError{Finding: w.found, Err: err}
	case w.found.ID != "":
		return &plan.CauseError{Finding: w.found, Text: fmt.Sprintf("%v; perhaps: %s", err, w.found.What), Err: err}
	case w.last == nil:
		return err
	}
	return &plan.CauseError{Finding: w.waiter.Catalogue.Unexplained(w.last, err.Error()), Err: err}
}

// HintAfter adds a hint to the error of a wait that came to nothing, unless its cause is known: that
// has a remedy of its own.
func HintAfter(err error, format string, args ...any) error {
	if !errors.As(err, new(*health.StalledError)) || errors.As(err, new(*plan.CauseError)) {
		return err
	}
	return plan.Hint(err, format, args...)
}

// Explained adds to the error of a step the cause, if one is certain, and the error does not say by itself
// what is wrong: what is evidence of a cause may as well follow from the error.
func (w *Waiter) Explained(ctx context.Context, stage observe.Stage, err error) error {
	if err == nil || w.Host.Plans() || !w.Host.Real() || ctx.Err() != nil || saysWhy(err) {
		return err
	}
	found, ok := diagnose.First(w.causes(w.Evidence(ctx, observe.Query{Stage: stage, Since: w.Began})))
	if !ok || found.Level != diagnose.Error {
		return err
	}
	return &plan.CauseError{Finding: found, Text: fmt.Sprintf("%s (%v)", found.What, err), Err: err}
}

// saysWhy tells whether an error names its cause by itself, as one about a path does. What systemd answers about a
// unit does not, nor that a file system is full or read-only: which one that is, the evidence tells.
func saysWhy(err error) bool {
	switch {
	case errors.As(err, new(*plan.CauseError)):
		return true
	case host.IsFull(err), host.IsReadOnly(err):
		return false
	}
	where, _ := plan.Placed(err)
	return strings.HasPrefix(where, "/") || errors.As(err, new(*fs.PathError))
}

// causes are those in the evidence, without the ones that the user wants passed over.
func (w *Waiter) causes(evidence *diagnose.Evidence) []diagnose.Finding {
	return w.Unignored(w.Catalogue.Causes(evidence))
}
