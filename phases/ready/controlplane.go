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

func (w *ControlPlane) WaitForPods(ctx context.Context) (err error) {
	if w.hashes, err = w.env.ManifestHashes(); err != nil {
		return err
	}
	var pods []health.Check
	for _, name := range spec.NodeComponents(w.env.Config) {
		pods = append(pods, health.Check{Name: name, Probe: w.mirrorPod(name)})
	}
	return w.Wait(ctx, pods)
}

// apiServerAnswers tells whether a kubelet runs that has met its API server.
func (w *Waiter) APIServerAnswers(ctx context.Context) bool {
	state, err := w.Host.UnitState(ctx, spec.KubeletService)
	if err != nil || !state.Running() {
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

func (w *ControlPlane) APIChecks() []health.Check {
	return []health.Check{
		{Name: "kubelet", Probe: w.Kubelet},
		{Name: "kube-apiserver", Probe: w.apiServer},
	}
}

// controlPlaneWait is what the checks of one wait share.
type ControlPlane struct {
	env     *Waiter
	stage   observe.Stage
	Cluster *cluster.Cluster
	CRI     *runtime.CRI
	hashes  map[string]string // component -> config hash of the manifest on disk
	Steady  time.Duration     // how long a pod must have run
}

func (w *Waiter) NewControlPlane(stage observe.Stage) (*ControlPlane, error) {
	c, err := w.ConnectForHealth()
	if err != nil {
		return nil, err
	}
	cri, err := w.DialRuntime()
	if err != nil {
		return nil, err
	}
	return &ControlPlane{env: w, stage: stage, Cluster: c, CRI: cri}, nil
}

// wait ends at the deadline of the whole control plane, which begins with the first wait.
func (w *ControlPlane) Wait(ctx context.Context, checks []health.Check) error {
	ctx, cancel := context.WithDeadline(ctx, w.env.ControlPlaneDeadline())
	defer cancel()
	err := w.env.Wait(ctx, Wait{Stage: w.stage, Checks: checks})
	return HintAfter(err, "journalctl -u kubelet -n 50")
}

func (w *ControlPlane) Kubelet(ctx context.Context) error { return w.env.kubeletDown(ctx) }

// apiServer asks /livez, then /readyz.
func (w *ControlPlane) apiServer(ctx context.Context) error {
	err := w.Cluster.Healthy(ctx, "/livez")
	switch {
	case err == nil:
		return w.Cluster.Healthy(ctx, "/readyz")
	case cluster.IsUnhealthy(err):
		return err
	}
	return w.silent(ctx, err)
}

// apiServerServes takes any answer, that it is not healthy yet as well.
func (w *ControlPlane) APIServerServes(ctx context.Context) error {
	err := w.Cluster.Healthy(ctx, "/livez")
	if err == nil || cluster.IsUnhealthy(err) {
		return nil
	}
	return w.silent(ctx, err)
}

// silent gives a better reason where nothing answers: the first container that is not
// up says more than the connection does.
func (w *ControlPlane) silent(ctx context.Context, err error) error {
	for _, name := range spec.APIComponents(w.env.Config) {
		if down := w.containerDown(ctx, name); down != nil {
			return down
		}
	}
	return err
}

// containerDown says what keeps the container of a component from running, nil if it runs.
func (w *ControlPlane) containerDown(ctx context.Context, name string) error {
	c, err := w.CRI.Container(ctx, w.env.PodName(name), name)
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
func (w *ControlPlane) mirrorPod(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		shown, err := w.readyPod(ctx, name)
		c, unknown := w.CRI.Container(ctx, w.env.PodName(name), name)
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

func (w *ControlPlane) readyPod(ctx context.Context, name string) (*corev1.Pod, error) {
	node, err := w.Cluster.Node(ctx, w.env.Config.NodeName)
	if err != nil {
		return nil, err
	}
	pod, err := w.Cluster.Pod(ctx, w.env.PodName(name))
	if err != nil {
		return nil, err
	}
	if err := checkMirrorPod(pod, node, w.hashes[name]); err != nil {
		return nil, err
	}
	return pod, checkSteady(pod, w.Steady, time.Now())
}
