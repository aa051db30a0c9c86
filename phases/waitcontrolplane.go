package phases

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/manifests"
	"bootstrap/phases/cluster"
	"bootstrap/phases/config"
	"bootstrap/phases/health"
	"bootstrap/phases/runtime"
)

var waitControlPlane = Phase{
	Name:  "wait-control-plane",
	Short: "wait until the API server answers and the four mirror pods are ready",
	Run:   runWaitControlPlane,
}

func runWaitControlPlane(ctx context.Context, env *Env) error {
	w, err := env.newControlPlaneWait(Written)
	if err != nil {
		return err
	}
	defer w.cri.Close()
	if err := w.wait(ctx, w.apiChecks()); err != nil {
		return err
	}
	return w.waitForPods(ctx)
}

func (w *controlPlaneWait) waitForPods(ctx context.Context) (err error) {
	if w.hashes, err = w.env.manifestHashes(); err != nil {
		return err
	}
	var pods []health.Check
	for _, name := range nodeComponents(w.env.Config) {
		pods = append(pods, health.Check{Name: name, Probe: w.mirrorPod(name)})
	}
	return w.wait(ctx, pods)
}

// apiServerAnswers tells whether a kubelet runs that has met its API server.
func (e *Env) apiServerAnswers(ctx context.Context) bool {
	state, err := e.Host.UnitState(ctx, kubeletService)
	if err != nil || !state.Running() {
		return false
	}
	c, err := e.connectForHealth()
	if err != nil {
		return false
	}
	soon, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return c.Healthy(soon, "/livez") == nil
}

// startAPIServer waits until the API server takes requests, if there is a kubelet that
// starts it, and tells whether it has just begun to. On a fast machine it is not ready then:
// that takes a second more. A kubelet that has met it before replaces changed pods by itself.
func (e *Env) startAPIServer(ctx context.Context, met bool) (began bool, err error) {
	state, err := e.Host.UnitState(ctx, kubeletService)
	if err != nil || !state.Running() {
		return false, err
	}
	w, err := e.newControlPlaneWait(Serving)
	if err != nil {
		return false, err
	}
	defer w.cri.Close()
	if !met {
		err = e.whileRuntimeAnswers(ctx, Serving, w.cri, func(ctx context.Context) error { return e.replaceStalePods(ctx, w.cri) })
	}
	if err != nil {
		return false, err
	}
	start := time.Now()
	err = w.wait(ctx, []health.Check{
		{Name: "kubelet", Probe: w.kubelet},
		{Name: "kube-apiserver", Probe: w.apiServerServes},
	})
	if err == nil {
		err = e.makePriorityClass(ctx, w.cluster)
	}
	if err != nil || time.Since(start) < slowStart {
		return !met, err
	}
	return !met, w.wait(ctx, w.apiChecks())
}

// slowStart is how long the API server may take to answer for the second until it is ready
// to be one. The controller manager waits 10 s for that, and then it ends.
const slowStart = 15 * time.Second

// makePriorityClass makes what the API server makes too, but too late for mirror pods: a
// kubelet whose mirror pod is refused tries again only after a minute.
func (e *Env) makePriorityClass(ctx context.Context, c *cluster.Cluster) error {
	ctx, cancel := context.WithDeadline(ctx, e.deadline())
	defer cancel()
	err := e.retryAndLook(ctx, Serving, "priority class", func(ctx context.Context) error {
		return c.Make(ctx, manifests.SystemNodeCritical)
	})
	return hintAfter(err, "journalctl -u kubelet -n 50")
}

func (w *controlPlaneWait) apiChecks() []health.Check {
	return []health.Check{
		{Name: "kubelet", Probe: w.kubelet},
		{Name: "kube-apiserver", Probe: w.apiServer},
	}
}

// controlPlaneWait is what the checks of one wait share.
type controlPlaneWait struct {
	env     *Env
	stage   Stage
	cluster *cluster.Cluster
	cri     *runtime.CRI
	hashes  map[string]string // component -> config hash of the manifest on disk
	steady  time.Duration     // how long a pod must have run
}

func (e *Env) newControlPlaneWait(stage Stage) (*controlPlaneWait, error) {
	c, err := e.connectForHealth()
	if err != nil {
		return nil, err
	}
	cri, err := e.dialRuntime()
	if err != nil {
		return nil, err
	}
	return &controlPlaneWait{env: e, stage: stage, cluster: c, cri: cri}, nil
}

// manifestHashes are the UIDs in the manifests: what the kubelet makes the
// mirror pods' config hash.
func (e *Env) manifestHashes() (map[string]string, error) {
	hashes := map[string]string{}
	for _, name := range nodeComponents(e.Config) {
		uid, err := e.manifestUID(name)
		if err != nil {
			return nil, err
		}
		hashes[name] = uid
	}
	return hashes, nil
}

func (e *Env) manifestUID(name string) (string, error) {
	file := manifestFile(name)
	data, err := e.Host.ReadFile(file)
	if err != nil {
		return "", err
	}
	pod, err := decodePod(data)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return string(pod.UID), nil
}

// wait ends at the deadline of the whole control plane, which begins with the first wait.
func (w *controlPlaneWait) wait(ctx context.Context, checks []health.Check) error {
	ctx, cancel := context.WithDeadline(ctx, w.env.deadline())
	defer cancel()
	err := w.env.wait(ctx, Wait{Stage: w.stage, Checks: checks})
	return hintAfter(err, "journalctl -u kubelet -n 50")
}

func (w *controlPlaneWait) kubelet(ctx context.Context) error { return w.env.kubeletDown(ctx) }

// apiServer asks /livez, then /readyz.
func (w *controlPlaneWait) apiServer(ctx context.Context) error {
	err := w.cluster.Healthy(ctx, "/livez")
	switch {
	case err == nil:
		return w.cluster.Healthy(ctx, "/readyz")
	case isUnhealthy(err):
		return err
	}
	return w.silent(ctx, err)
}

// apiServerServes takes any answer, that it is not healthy yet as well.
func (w *controlPlaneWait) apiServerServes(ctx context.Context) error {
	err := w.cluster.Healthy(ctx, "/livez")
	if err == nil || isUnhealthy(err) {
		return nil
	}
	return w.silent(ctx, err)
}

func isUnhealthy(err error) bool { return errors.As(err, new(*cluster.UnhealthyError)) }

// silent gives a better reason where nothing answers: the first container that is not
// up says more than the connection does.
func (w *controlPlaneWait) silent(ctx context.Context, err error) error {
	for _, name := range apiComponents(w.env.Config) {
		if down := w.containerDown(ctx, name); down != nil {
			return down
		}
	}
	return err
}

// apiComponents are the pods of this node that the API needs.
func apiComponents(c *config.Config) []string {
	all := nodeComponents(c)
	return all[:slices.Index(all, "kube-apiserver")+1]
}

// containerDown says what keeps the container of a component from running, nil if it runs.
func (w *controlPlaneWait) containerDown(ctx context.Context, name string) error {
	c, err := w.cri.Container(ctx, w.env.podName(name), name)
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
func (w *controlPlaneWait) mirrorPod(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		shown, err := w.readyPod(ctx, name)
		c, unknown := w.cri.Container(ctx, w.env.podName(name), name)
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

func (w *controlPlaneWait) readyPod(ctx context.Context, name string) (*corev1.Pod, error) {
	node, err := w.cluster.Node(ctx, w.env.Config.NodeName)
	if err != nil {
		return nil, err
	}
	pod, err := w.cluster.Pod(ctx, w.env.podName(name))
	if err != nil {
		return nil, err
	}
	if err := checkMirrorPod(pod, node, w.hashes[name]); err != nil {
		return nil, err
	}
	return pod, checkSteady(pod, w.steady, time.Now())
}
