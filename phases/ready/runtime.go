package ready

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/health"
	"bootstrap/phases/machine"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/runtime"
)

// workGrace is how long work may take to end once its context has ended.
const workGrace = 3 * time.Second

// WhileRuntimeAnswers does work that needs the runtime, and gives up if the runtime hangs. Then it
// does not wait for the work to end, as some calls of containerd's client go on without their context.
func (w *Waiter) WhileRuntimeAnswers(ctx context.Context, stage observe.Stage, c *runtime.CRI, work func(context.Context) error) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	done, hung := make(chan error, 1), make(chan error, 1)
	go func() { done <- work(working) }()
	go func() { hung <- w.silence(working, c) }()
	select {
	case err := <-done:
		return w.Explained(ctx, stage, err)
	case err := <-hung:
		if err != nil {
			return err
		}
	}
	select { // ctx has ended
	case err := <-done:
		return err
	case <-time.After(workGrace):
		return context.Cause(ctx)
	}
}

// silence returns when ctx ends, or with an error when the runtime has been silent for too long.
func (w *Waiter) silence(ctx context.Context, c *runtime.CRI) error {
	const hangs = "runtime-hangs"
	answered, warned := time.Now(), false
	for health.Sleep(ctx, LookEvery) {
		switch silent := time.Since(answered); {
		case answers(ctx, c):
			answered = time.Now()
		case silent > observe.Patience(runtime.Patience).Now():
			what := fmt.Sprintf("the container runtime takes connections, but has not answered for %s", silent.Round(time.Second))
			return &plan.CauseError{Finding: w.Catalogue.Found(hangs, diagnose.Finding{Level: diagnose.Error, What: what, See: "journalctl -u containerd -n 50"})}
		case !warned && !diagnose.Crowded(machine.Crowding()):
			warned = true
			entry, _ := w.Catalogue.Find(hangs)
			w.Tell.Send(plan.Event{Kind: plan.Warning, Cause: hangs, Message: "the container runtime takes connections but does not answer; " + entry.Remedy})
		}
	}
	return nil
}

// answers tells whether the runtime says anything in time, be it that it is not ready.
func answers(ctx context.Context, c *runtime.CRI) bool {
	soon, cancel := observe.EvidenceTimeout.Bound(ctx)
	defer cancel()
	err := c.Ready(soon)
	return !errors.Is(soon.Err(), context.DeadlineExceeded) || err == nil
}
