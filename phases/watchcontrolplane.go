package phases

import (
	"context"

	"bootstrap/phases/ready"
)

var watchControlPlane = Phase{
	Name:    "watch-control-plane",
	Short:   "see that the control plane's pods stay up",
	Follows: waitControlPlane.Name,
	Run:     onControlPlane(runWatchControlPlane),
}

// runWatchControlPlane is a phase of its own, so that other phases can run meanwhile.
func runWatchControlPlane(ctx context.Context, _ *Env, w *ready.ControlPlane) error {
	return w.Wait(ctx, w.PodChecks(ready.MinUptime))
}
