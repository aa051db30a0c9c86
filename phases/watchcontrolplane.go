package phases

import (
	"context"

	"bootstrap/phases/observe"
	"bootstrap/phases/ready"
)

var watchControlPlane = Phase{
	Name:    "watch-control-plane",
	Short:   "see that the control plane's pods stay up",
	Follows: waitControlPlane.Name,
	Run:     runWatchControlPlane,
}

// runWatchControlPlane is a phase of its own, so that other phases can run meanwhile.
func runWatchControlPlane(ctx context.Context, env *Env) error {
	w, err := env.Ready().NewControlPlane(observe.Written)
	if err != nil {
		return err
	}
	defer w.CRI.Close()
	return w.Wait(ctx, w.PodChecks(ready.MinUptime))
}
