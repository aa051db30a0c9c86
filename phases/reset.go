package phases

import (
	"context"
	"errors"
	"time"

	"bootstrap/phases/host"
	"bootstrap/phases/runtime"
)

// Reset is the plan of bootstrap reset. It needs neither API server nor network.
func Reset() Plan {
	return Plan{
		{stopKubelet},
		{removePods},
		{removeLeftovers},
		{undoAll},
	}
}

// RunAll runs every phase, whatever fails, and joins the errors.
func (p Plan) RunAll(ctx context.Context, env *Env) error {
	var errs []error
	for _, phase := range p.Phases() {
		errs = append(errs, phase.run(ctx, env))
	}
	return errors.Join(errs...)
}

var stopKubelet = Phase{
	Name:  "stop-kubelet",
	Short: "stop the kubelet, so that it starts nothing again",
	Run: func(ctx context.Context, env *Env) error {
		_, err := env.Host.StopUnit(ctx, "kubelet.service")
		return err
	},
}

var removePods = Phase{
	Name:  "remove-pods",
	Short: "stop and remove the pods that Kubernetes made",
	Run:   runRemovePods,
}

func runRemovePods(ctx context.Context, env *Env) error {
	choice, err := env.chooseRuntime()
	if errors.Is(err, errNoRuntime) {
		return nil // nothing runs pods here
	}
	if err != nil {
		return err
	}
	c, err := runtime.Dial(choice.Endpoint)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return c.RemovePods(ctx)
}

var removeLeftovers = Phase{
	Name:  "remove-leftovers",
	Short: "remove the kubelet's slices and the pods' bridge",
	Run:   runRemoveLeftovers,
}

// runRemoveLeftovers removes what daemons of ours made outside of their folders.
func runRemoveLeftovers(ctx context.Context, env *Env) error {
	var errs []error
	if env.made(kubeletDropIn) {
		_, err := env.Host.StopTransient(ctx, "kubepods.slice")
		errs = append(errs, err)
	}
	if env.made(networkFile) {
		_, err := env.Host.RemoveLink(bridgeName)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

var undoAll = Phase{
	Name:  "undo",
	Short: "undo what the ledger holds, newest first",
	Run:   runUndo,
}

func runUndo(ctx context.Context, env *Env) error {
	count := 0
	err := env.Host.UndoAll(ctx, func(r host.Record, err error) {
		if err == nil {
			count++
		}
	})
	if err != nil {
		return err
	}
	env.note("%d effects undone", count)
	return nil
}
