package phases

import (
	"context"
	"time"

	"bootstrap/phases/observe"
	"bootstrap/phases/ready"
	"bootstrap/phases/spec"
)

var waitAddons = Phase{
	Name:    "wait-addons",
	Short:   "wait until the Node, cluster DNS, kube-proxy and the pod network are ready",
	Follows: addons.Name,
	Run:     runWaitAddons,
}

func runWaitAddons(ctx context.Context, env *Env) error {
	w := env.Ready()
	if !env.Host.Plans() {
		if err := w.DialEndpoint(ctx); err != nil {
			w.Tell.Warn("addons: not waited for, as the control plane endpoint does not answer yet: %v", err)
			return nil
		}
	}
	c, err := w.Connect(spec.AdminConf)
	if err != nil {
		return err
	}
	checks := w.AddonChecks(c)
	if len(checks) == 0 {
		return nil
	}
	// The pause is longer than usual: each round asks for many objects, and the API server is busy.
	err = w.WaitWithin(ctx, ready.Wait{Stage: observe.Complete, Checks: checks, Pause: 250 * time.Millisecond})
	return ready.HintAfter(err, "kubectl --kubeconfig %s -n kube-system describe pods", spec.AdminConf)
}
