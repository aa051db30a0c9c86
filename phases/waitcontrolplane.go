package phases

import (
	"context"
	"time"

	"bootstrap/manifests"
	"bootstrap/phases/cluster"
	"bootstrap/phases/health"
	"bootstrap/phases/observe"
	"bootstrap/phases/ready"
	"bootstrap/phases/spec"
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
	return w.WaitForPods(ctx)
}

// startAPIServer waits until the API server takes requests, if there is a kubelet that
// starts it, and tells whether it has just begun to. On a fast machine it is not ready then:
// that takes a second more. A kubelet that has met it before replaces changed pods by itself.
func (e *Env) startAPIServer(ctx context.Context, met bool) (began bool, err error) {
	state, err := e.Host.UnitState(ctx, spec.KubeletService)
	if err != nil || !state.Running() {
		return false, err
	}
	w, err := e.Ready().NewControlPlane(observe.Serving)
	if err != nil {
		return false, err
	}
	defer w.CRI.Close()
	if !met {
		err = e.Ready().WhileRuntimeAnswers(ctx, observe.Serving, w.CRI, func(ctx context.Context) error { return e.replaceStalePods(ctx, w.CRI) })
	}
	if err != nil {
		return false, err
	}
	start := time.Now()
	err = w.Wait(ctx, []health.Check{
		{Name: "kubelet", Probe: w.Kubelet},
		{Name: "kube-apiserver", Probe: w.APIServerServes},
	})
	if err == nil {
		err = e.makePriorityClass(ctx, w.Cluster)
	}
	if err != nil || time.Since(start) < slowStart {
		return !met, err
	}
	return !met, w.Wait(ctx, w.APIChecks())
}

// slowStart is how long the API server may take to answer for the second until it is ready
// to be one. The controller manager waits 10 s for that, and then it ends.
const slowStart = 15 * time.Second

// makePriorityClass makes what the API server makes too, but too late for mirror pods: a
// kubelet whose mirror pod is refused tries again only after a minute.
func (e *Env) makePriorityClass(ctx context.Context, c *cluster.Cluster) error {
	ctx, cancel := context.WithDeadline(ctx, e.Ready().ControlPlaneDeadline())
	defer cancel()
	err := e.Ready().RetryAndLook(ctx, observe.Serving, "priority class", func(ctx context.Context) error {
		return c.Make(ctx, manifests.SystemNodeCritical)
	})
	return ready.HintAfter(err, "journalctl -u kubelet -n 50")
}
