package ready

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/cluster"
	"bootstrap/phases/health"
	"bootstrap/phases/observe"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
)

// KubeletHasMet tells whether a kubelet runs that has met its API server since it was
// started. Of one that this run has started that is not known: etcd, and with it the API
// server, may have been about to be replaced.
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

// ControlPlane is what the checks of one wait for the control plane share.
type ControlPlane struct {
	waiter  *Waiter
	stage   observe.Stage
	Cluster *cluster.Cluster
	CRI     *runtime.CRI
	hashes  map[string]string // component -> config hash of the manifest on disk
	Steady  time.Duration     // how long a pod must have run
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

// Wait ends at the deadline of the whole control plane, which begins with the first wait.
func (cp *ControlPlane) Wait(ctx context.Context, checks []health.Check) error {
	ctx, cancel := context.WithDeadline(ctx, cp.waiter.ControlPlaneDeadline())
	defer cancel()
	err := cp.waiter.Wait(ctx, Wait{Stage: cp.stage, Checks: checks})
	return HintAfter(err, "journalctl -u kubelet -n 50")
}

// WaitForPods waits until the mirror pods are of the manifests on disk, and have run for
// Steady.
func (cp *ControlPlane) WaitForPods(ctx context.Context) (err error) {
	if cp.hashes, err = cp.waiter.ManifestHashes(); err != nil {
		return err
	}
	var pods []health.Check
	for _, name := range spec.NodeComponents(cp.waiter.Config) {
		pods = append(pods, health.Check{Name: name, Probe: cp.mirrorPod(name)})
	}
	return cp.Wait(ctx, pods)
}

// APIChecks are of the kubelet and the API server, which make all else ready.
func (cp *ControlPlane) APIChecks() []health.Check {
	return []health.Check{
		{Name: "kubelet", Probe: cp.Kubelet},
		{Name: "kube-apiserver", Probe: cp.apiServer},
	}
}

// Kubelet says how the kubelet's unit is, nil if it runs.
func (cp *ControlPlane) Kubelet(ctx context.Context) error { return cp.waiter.kubeletDown(ctx) }

// apiServer asks /livez, then /readyz.
func (cp *ControlPlane) apiServer(ctx context.Context) error {
	err := cp.Cluster.Healthy(ctx, "/livez")
	switch {
	case err == nil:
		return cp.Cluster.Healthy(ctx, "/readyz")
	case cluster.IsUnhealthy(err):
		return err
	}
	return cp.silent(ctx, err)
}

// APIServerServes takes any answer, that it is not healthy yet as well.
func (cp *ControlPlane) APIServerServes(ctx context.Context) error {
	err := cp.Cluster.Healthy(ctx, "/livez")
	if err == nil || cluster.IsUnhealthy(err) {
		return nil
	}
	return cp.silent(ctx, err)
}

// silent gives a better reason where nothing answers: the first container that is not
// up says more than the connection does.
func (cp *ControlPlane) silent(ctx context.Context, err error) error {
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
		return fmt.Errorf("no container of %s yet", name)
	case c.Running:
		return nil
	case !c.Exited:
		return fmt.Errorf("container of %s is being started", name)
	}
	return endedError(c)
}

// mirrorPod checks one component through the API: that the kubelet runs what the
// manifest on disk says, and that it is ready and stays up. The runtime knows earlier than
// the API what runs.
func (cp *ControlPlane) mirrorPod(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		shown, err := cp.readyPod(ctx, name)
		c, unknown := cp.CRI.Container(ctx, cp.waiter.PodName(name), name)
		if unknown != nil {
			return err // a runtime too busy to answer says nothing about the container
		}
		if down := checkRuns(name, c); down != nil {
			return down
		}
		if err == nil {
			err = checkShown(shown, name, c.ID)
		}
		return err
	}
}

func (cp *ControlPlane) readyPod(ctx context.Context, name string) (*corev1.Pod, error) {
	node, err := cp.Cluster.Node(ctx, cp.waiter.Config.NodeName)
	if err != nil {
		return nil, err
	}
	pod, err := cp.Cluster.Pod(ctx, cp.waiter.PodName(name))
	if err != nil {
		return nil, err
	}
	if err := checkMirrorPod(pod, node, cp.hashes[name]); err != nil {
		return nil, err
	}
	return pod, checkSteady(pod, cp.Steady, time.Now())
}
