package phases

import (
	"context"

	"bootstrap/phases/observe"
)

var waitControlPlane = Phase{
	Name:  "wait-control-plane",
	Short: "wait until the API server answers and the four mirror pods are ready",
	Run:   runWaitControlPlane,
}

func runWaitControlPlane(ctx context.Context, env *Env) error {
	w, err := env.Ready().NewControlPlane(observe.Written)
	if err != nil {
		return err
	}
	defer w.CRI.Close()
	if err := w.Wait(ctx, w.APIChecks()); err != nil {
		return err
	}
	return w.Wait(ctx, w.PodChecks(0))
}
