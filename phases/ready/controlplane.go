package ready

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"bootstrap/phases/cluster"
	"bootstrap/phases/health"
	"bootstrap/phases/observe"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
)

// KubeletHasMet tells whether a kubelet runs that has met its API server since it was started. One
// that this run has started counts as one that has not: the API server that answers now may be
// about to be replaced together with its etcd.
func (w *Waiter) KubeletHasMet(ctx context.Context) bool {
	state, err := w.Host.UnitState(ctx, spec.KubeletService)
	if err != nil || !state.Running() || state.Started.After(w.Began) {
		return false
	}
	c, err := w.ConnectForHealth()
	if err != nil {
		return false
	}
	soon, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return c.Healthy(soon, "/livez") == nil
}

// ControlPlane is what the checks of one wait share: clients of the API server and of the runtime.
type ControlPlane struct {
	waiter  *Waiter
	stage   observe.Stage
	Cluster *cluster.Cluster
	CRI     *runtime.CRI
}

// NewControlPlane connects to the API server and the runtime. The caller closes CRI.
func (w *Waiter) NewControlPlane(stage observe.Stage) (*ControlPlane, error) {
	c, err := w.ConnectForHealth()
	if err != nil {
		return nil, err
	}
	cri, err := w.DialRuntime()
	if err != nil {
		return nil, err
	}
	return &ControlPlane{waiter: w, stage: stage, Cluster: c, CRI: cri}, nil
}

// Wait waits for checks until the deadline that all waits for the control plane share.
func (cp *ControlPlane) Wait(ctx context.Context, checks []health.Check) error {
	cp.waiter.ControlPlaneDeadline()
	err := cp.waiter.waitUntil(ctx, Wait{Stage: cp.stage, Checks: checks}, cp.waiter.Deadline)
	return HintAfter(err, "journalctl -u kubelet -n 50")
}

// PodChecks are of the static pods, and of the kubelet that tells of them: the API server shows them as
// ready and as made from the manifests that are on disk now, and their containers have run for at least minUptime.
func (cp *ControlPlane) PodChecks(minUptime time.Duration) []health.Check {
	checks := cp.componentChecks(func(ctx context.Context, name string) error { return cp.checkPod(ctx, name, minUptime) })
	return append(checks, health.Check{Name: "kubelet", Probe: cp.kubeletSilent})
}

// kubeletSilent says that the kubelet has not renewed its Lease: what the API server shows of the Node and
// its pods is then of before, and the Node stays Ready until the node controller gives it up.
func (cp *ControlPlane) kubeletSilent(ctx context.Context) error {
	lease, err := cp.Cluster.NodeLease(ctx, cp.waiter.Config.NodeName)
	if err != nil {
		return nil // a new Node has none yet; and that the API server does not answer, the pods say
	}
	silent := checkLease(lease, time.Now())
	if silent == nil {
		return nil
	}
	if down := cp.waiter.kubeletDown(ctx); down != nil {
		return down // says more
	}
	return silent
}

// checkLease waits as long as the node controller does, or longer where the user lets Leases last longer.
// One of the future is of before the clock was set back.
func checkLease(lease *coordinationv1.Lease, now time.Time) error {
	patience := max(50*time.Second, time.Duration(ptr.Deref(lease.Spec.LeaseDurationSeconds, 0))*time.Second+10*time.Second)
	if renewed := lease.Spec.RenewTime; renewed != nil && now.Sub(renewed.Time) > patience {
		return fmt.Errorf("the API server has not heard of it for %s", now.Sub(renewed.Time).Round(time.Second))
	}
	return nil
}

// componentChecks are one for each of the static pods, by what probe says of it.
func (cp *ControlPlane) componentChecks(probe func(ctx context.Context, name string) error) []health.Check {
	var checks []health.Check
	for _, name := range spec.NodeComponents(cp.waiter.Config) {
		probeIt := func(ctx context.Context) error { return probe(ctx, name) }
		checks = append(checks, health.Check{Name: name, Probe: probeIt})
	}
	return checks
}

// APIChecks are of the kubelet and the API server, which make all else ready.
func (cp *ControlPlane) APIChecks() []health.Check {
	return cp.serverChecks(func(ctx context.Context) error { return cp.healthy(ctx, "/livez", "/readyz") })
}

// ServingChecks are APIChecks that the API server passes as soon as it answers, healthy or not.
func (cp *ControlPlane) ServingChecks() []health.Check {
	return cp.serverChecks(func(ctx context.Context) error {
		err := cp.healthy(ctx, "/livez")
		if cluster.IsUnhealthy(err) {
			return nil
		}
		return err
	})
}

func (cp *ControlPlane) serverChecks(apiServer func(context.Context) error) []health.Check {
	return []health.Check{{Name: "kubelet", Probe: cp.waiter.kubeletDown}, {Name: "kube-apiserver", Probe: apiServer}}
}

// healthy says why the API server is not healthy, or nil. Where it does not answer, the first
// container that does not run says more than the connection does.
func (cp *ControlPlane) healthy(ctx context.Context, paths ...string) error {
	err := cp.Cluster.Healthy(ctx, paths...)
	if err == nil || cluster.IsUnhealthy(err) {
		return err
	}
	for _, name := range spec.APIComponents(cp.waiter.Config) {
		if down := cp.containerDown(ctx, name); down != nil {
			return down
		}
	}
	return err
}

// containerDown says what keeps the container of a component from running, nil if it runs.
func (cp *ControlPlane) containerDown(ctx context.Context, name string) error {
	c, err := cp.CRI.Container(ctx, cp.waiter.PodName(name), name)
	if err != nil {
		return nil // a runtime too busy to answer says nothing about the container
	}
	return checkRuns(name, c)
}

func checkRuns(name string, c *runtime.Container) error {
	switch {
	case c == nil:
		return fmt.Errorf("no container %s yet", name)
	case c.Running:
		return nil
	case !c.Exited:
		return fmt.Errorf("container %s is being started", name)
	}
	return endedError(c)
}

// checkPod says why a component's static pod is not ready, or nil. The runtime is asked as well:
// it knows what runs earlier than the API server does.
func (cp *ControlPlane) checkPod(ctx context.Context, name string, minUptime time.Duration) error {
	hash, err := cp.waiter.ManifestUID(name)
	if err != nil {
		return err
	}
	shown, err := cp.readyPod(ctx, name, hash)
	c, runtimeErr := cp.CRI.Container(ctx, cp.waiter.PodName(name), name)
	if runtimeErr == nil {
		if down := checkRuns(name, c); down != nil {
			return down
		}
	}
	if err != nil {
		return err
	}
	if err := checkUptime(shown, minUptime, time.Now()); err != nil || runtimeErr != nil {
		return err // a runtime too busy to answer says nothing about the container
	}
	return checkShown(shown, name, c.ID)
}

func (cp *ControlPlane) readyPod(ctx context.Context, name, hash string) (*corev1.Pod, error) {
	node, err := cp.Cluster.Node(ctx, cp.waiter.Config.NodeName)
	if err != nil {
		return nil, err
	}
	pod, err := cp.Cluster.Pod(ctx, cp.waiter.PodName(name))
	if err != nil {
		return nil, err
	}
	return pod, checkMirrorPod(pod, node, hash)
}
