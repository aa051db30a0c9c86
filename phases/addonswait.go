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
	c, err := env.Observe().Connect(spec.AdminConf)
	if err != nil {
		return err
	}
	checks := env.Ready().AddonChecks(c)
	if len(checks) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, env.Ready().Timeout)
	defer cancel()
	// Rounds ask for many objects, of an API server that has much to do.
	err = env.Ready().Wait(ctx, ready.Wait{Stage: observe.Complete, Checks: checks, Pause: 250 * time.Millisecond})
	return ready.HintAfter(err, "kubectl --kubeconfig %s -n kube-system describe pods", spec.AdminConf)
}
