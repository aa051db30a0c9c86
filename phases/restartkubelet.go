package phases

import (
	"context"
	"errors"
	"slices"
	"time"

	"bootstrap/phases/cluster"
	"bootstrap/phases/health"
	"bootstrap/phases/observe"
	"bootstrap/phases/spec"
)

var restartKubelet = Phase{
	Name:  "restart-kubelet",
	Short: "restart the kubelet if it was refused mirror pods: it would try again only after a minute",
	Run:   runRestartKubelet,
}

// mirrorPodPatience is how long a mirror pod may be missing once the API server is
// ready. A kubelet that is not in its back-off makes it within a second.
const mirrorPodPatience = observe.Patience(3 * time.Second)

// runRestartKubelet is for a kubelet that registered before the priority class was there.
func runRestartKubelet(ctx context.Context, env *Env) error {
	c, err := env.ConnectForHealth()
	if err != nil {
		return err
	}
	var first []health.Check // the pods that the kubelet began with
	for _, name := range spec.APIComponents(env.Config) {
		first = append(first, health.Check{Name: name, Probe: func(ctx context.Context) error {
			_, err := c.Pod(ctx, env.PodName(name))
			return err
		}})
	}
	soon, cancel := mirrorPodPatience.Bound(ctx)
	defer cancel()
	err = env.Ready().WaitSilently(soon, first)
	if ctx.Err() != nil || !missing(err) {
		return ctx.Err()
	}
	env.Tell.Say("the kubelet is restarted: it was refused mirror pods before the API server was ready, and would try again only after a minute")
	return env.Host.RestartUnit(ctx, spec.KubeletService)
}

// missing tells whether the API server has said that a pod is not there: a slow one that gave
// no answer has not.
func missing(err error) bool {
	var stalled *health.StalledError
	return errors.As(err, &stalled) && slices.ContainsFunc(stalled.Pending, func(p health.Pending) bool { return cluster.IsNotFound(p.Reason) })
}
