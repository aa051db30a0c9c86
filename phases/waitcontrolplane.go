package phases

import (
	"context"

	"bootstrap/phases/ready"
)

var waitControlPlane = Phase{
	Name:  "wait-control-plane",
	Short: "wait until the API server answers and the four mirror pods are ready",
	Run:   onControlPlane(runWaitControlPlane),
}

func runWaitControlPlane(ctx context.Context, _ *Env, w *ready.ControlPlane) error {
	if err := w.Wait(ctx, w.APIChecks()); err != nil {
		return err
	}
	return w.Wait(ctx, w.PodChecks(0))
}
