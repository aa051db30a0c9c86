package phases

import (
	"context"
	"time"

	"bootstrap/manifests"
	"bootstrap/phases/health"
	"bootstrap/phases/observe"
	"bootstrap/phases/spec"
)

var controlPlane = Phase{
	Name:  "control-plane",
	Short: "write the static pods of kube-apiserver and, once it answers, of kube-controller-manager and kube-scheduler",
	Run:   runControlPlane,
}

// runControlPlane holds the controller manager and the scheduler back until the API
// server takes requests. Started before, they exit, and sit in a back-off of 10 s; and
// their mirror pods are refused as long as the API server lacks the priority class,
// which the kubelet tries again only after a minute. They are not held back until it is
// ready: that is a second later, and a CPU would be idle while they could start.
func runControlPlane(ctx context.Context, env *Env) error {
	c := env.Config
	mounts := spec.CAMounts(observe.TrustedCAs(env.Host))
	met := env.Ready().KubeletHasMet(ctx) // asked now: what is written next may take it down
	if err := writeStaticPod(ctx, env, "kube-apiserver", spec.APIServerPod(c, mounts)); err != nil {
		return err
	}
	began, err := startAPIServer(ctx, env, met)
	if err != nil {
		return err
	}
	if err := keepEtcdCluster(env); err != nil {
		return err
	}
	if err := writeStaticPod(ctx, env, "kube-controller-manager", spec.ControllerManagerPod(c, mounts)); err != nil {
		return err
	}
	if err := writeStaticPod(ctx, env, "kube-scheduler", spec.SchedulerPod(c)); err != nil || !began {
		return err
	}
	return makePolicy(ctx, env)
}

// slowStart is how long a fast machine's API server takes at most until it answers. One that has
// taken longer will also take longer until it is ready, and the controller manager waits 10 s
// for that, and then it ends: so it is started only when the API server is ready.
const slowStart = 15 * time.Second

// startAPIServer waits until the API server takes requests, if there is a kubelet that
// starts it, and tells whether it has just begun to. On a fast machine it does not wait the
// second more until the API server is ready. met tells whether the kubelet has met its API
// server before: then it replaces pods of changed manifests by itself.
func startAPIServer(ctx context.Context, env *Env, met bool) (began bool, err error) {
	state, err := env.Host.UnitState(ctx, spec.KubeletService)
	if err != nil || !state.Running() {
		return false, err
	}
	waiter := env.Ready()
	w, err := waiter.NewControlPlane(observe.Serving)
	if err != nil {
		return false, err
	}
	defer w.CRI.Close()
	if !met {
		err = waiter.WhileRuntimeAnswers(ctx, observe.Serving, w.CRI, func(ctx context.Context) error { return replaceStalePods(ctx, env, w.CRI) })
	}
	if err != nil {
		return false, err
	}
	start := time.Now()
	err = w.Wait(ctx, w.ServingChecks())
	if err == nil {
		// The API server makes it too, but too late for mirror pods: a kubelet whose mirror pod is
		// refused tries again only after a minute.
		makeClass := func(ctx context.Context) error { return w.Cluster.Make(ctx, manifests.SystemNodeCritical) }
		err = w.Wait(ctx, []health.Check{{Name: "priority class", Probe: makeClass}})
	}
	if err != nil || time.Since(start) < slowStart {
		return !met, err
	}
	return !met, w.Wait(ctx, w.APIChecks())
}
