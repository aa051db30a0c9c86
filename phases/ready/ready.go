// Package ready says when what is and what should be agree: it has the checks of each
// part of a node, and the waits that look for causes meanwhile. It must not make anything
// ready by itself: a probe that would make objects or restart something is a phase.
package ready

import (
	"context"
	"time"

	"bootstrap/phases/health"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

// Waiter waits for what an Observer looks at.
type Waiter struct {
	*observe.Observer
	Timeout  time.Duration // bounds all waits for the control plane together, and then the one for the addons
	Deadline *Deadline     // is shared by all waits for the control plane
	Began    time.Time     // is when this run did: log lines from before belong to another
}

// ControlPlaneDeadline is when the control plane must be healthy. The first call sets it, and
// says so to the user.
func (w *Waiter) ControlPlaneDeadline() time.Time {
	if w.Deadline.begin() {
		w.Tell.Say("the control plane must be healthy within %s (--timeout), or %s if it goes on coming up, or the machine is busy", w.Timeout, mostTimeouts*w.Timeout)
	}
	return w.Deadline.at(w.Timeout)
}

// Readiness is what one look at all that init waits for has found.
type Readiness struct {
	Answers bool             // whether the API server does; without one, whether the runtime can be asked
	Addons  []string         // the names of what was looked at beside the components: the Node and addons, or pods
	Pending map[string]error // why something is not ready, by its name
	PodURL  *PodURLStatus    // nil for a kubelet that fetches no pods
}

// Holds tells whether all is ready.
func (r Readiness) Holds() bool { return r.Answers && len(r.Pending) == 0 }

// look probes once, and takes over what is not ready, and why.
func (r Readiness) look(ctx context.Context, checks []health.Check) {
	for _, p := range health.Look(ctx, checks) {
		r.Pending[p.Name] = p.Reason
	}
}

// Readiness looks once at all that the phases wait-control-plane and wait-addons wait for, or
// wait-kubelet where there is no control plane.
func (w *Waiter) Readiness(ctx context.Context) Readiness {
	r := Readiness{Pending: map[string]error{}}
	if w.Config.Box.Standalone {
		w.lookAtPods(ctx, &r)
		return r
	}
	plan.SideBySide(
		func() { r.PodURL, _ = w.podURLStatus(ctx) },
		func() { w.lookAtControlPlane(ctx, &r) },
	)
	return r
}

// lookAtPods looks at a standalone kubelet and its pods.
func (w *Waiter) lookAtPods(ctx context.Context, r *Readiness) {
	url, served := w.podURLStatus(ctx)
	r.PodURL = url
	pods := append(w.userPods(), served...)
	for _, pod := range pods {
		r.Addons = append(r.Addons, pod.Name)
	}
	c, err := w.DialRuntime()
	if err != nil {
		r.Pending["kubelet"] = err
		return
	}
	defer c.Close()
	r.Answers = true
	r.look(ctx, w.KubeletChecks(c, pods))
}

func (w *Waiter) lookAtControlPlane(ctx context.Context, r *Readiness) {
	cp, err := w.NewControlPlane(observe.Complete)
	if err != nil {
		r.Pending["kube-apiserver"] = err
		r.look(ctx, []health.Check{{Name: "kubelet", Probe: w.kubeletDown}})
		return
	}
	defer cp.CRI.Close()
	r.look(ctx, cp.APIChecks())
	silent := r.Pending["kube-apiserver"]
	if r.Answers = silent == nil; !r.Answers {
		r.look(ctx, cp.componentChecks(cp.containerDown)) // what the runtime alone can tell
		r.Pending["kube-apiserver"] = silent              // says more than its container does
		return
	}
	checks, err := w.clusterChecks(ctx)
	if err != nil {
		r.Pending["Node"] = err
		r.Addons = []string{"Node"}
	}
	for _, c := range checks {
		r.Addons = append(r.Addons, c.Name)
	}
	r.look(ctx, append(cp.PodChecks(MinUptime), checks...))
}

// clusterChecks are of the Node and the addons. There are none where init would not wait for them.
func (w *Waiter) clusterChecks(ctx context.Context) ([]health.Check, error) {
	if err := w.DialEndpoint(ctx); err != nil {
		w.Tell.Warn("Node and addons: not looked at, as the control plane endpoint does not answer: %v", err)
		return nil, nil
	}
	c, err := w.Connect(spec.AdminConf)
	if err != nil {
		return nil, err
	}
	return w.AddonChecks(c), nil
}
