package staticpods

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/health"
	"bootstrap/phases/observe"
	"bootstrap/phases/ready"
	"bootstrap/phases/runtime"
)

// relist is how often a kubelet reads its folder, whatever it was told of changes.
const relist = 20 * time.Second

// stale tells what runs of a pod whose file has just been replaced. The kubelet alone knows
// the hash of a content: it is of the pod with all defaults. But a sandbox is of the file
// as it was when it was made; and one that is still there when the kubelet must have seen
// the change is of the file as it is, whatever was changed in that.
type stale struct {
	since time.Time // when the file was changed; zero if there is none, or its Pod is as before
	until time.Time
	uids  []string // the pod's before, as far as they are known
}

func (s stale) has(sandbox runtime.Sandbox, now time.Time) bool {
	return sandbox.Created.Before(s.since) && now.Before(s.until)
}

// replaced is stale by the times of the target's file.
func (c *Commander) replaced(t target) (stale, error) {
	if t.file == "" || !c.Host.Real() {
		return stale{}, nil
	}
	since, err := c.Host.Changed(t.file)
	grace := max(gracePeriod(t.old), gracePeriod(t.pod))
	return stale{since: since, until: since.Add(relist + grace + 5*time.Second), uids: t.uids}, err
}

// says tells whether a file holds the same Pod, be it in other words.
func (t target) says(other *corev1.Pod) bool {
	return other != nil && reflect.DeepEqual(plainJSON(t.pod), plainJSON(other))
}

// uidsOf are those of a pod in the runtime and, of one that never got a sandbox, in the API.
func (s seenPods) uidsOf(key string) []string {
	var uids []string
	for _, sandbox := range s.sandboxes {
		if sandbox.Namespace+"/"+sandbox.Name == key {
			uids = append(uids, sandbox.UID)
		}
	}
	for i := range s.mirrors {
		if p := &s.mirrors[i]; observe.IsMirror(p) && p.Namespace+"/"+p.Name == key {
			uids = append(uids, p.Annotations[observe.HashAnnotation])
		}
	}
	return uids
}

func gracePeriod(pod *corev1.Pod) time.Duration {
	switch {
	case pod == nil:
		return 0
	case pod.Spec.TerminationGracePeriodSeconds == nil:
		return corev1.DefaultTerminationGracePeriodSeconds * time.Second
	}
	return time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second
}

// podWait is one wait for a static pod.
type podWait struct {
	commander *Commander
	target    target
	stale     stale
	began     time.Time

	uid      atomic.Value // string: of what is waited for, once something runs
	apiError atomic.Value // error: why the API server could not be asked, the last time
}

// PodError is of a static pod that does not run, or goes, as it should. Its file is
// as it was wanted.
type PodError struct {
	Namespace, Name string
	Err             error
}

func (e *PodError) Error() string {
	return fmt.Sprintf("static pod %s/%s: %v", e.Namespace, e.Name, e.Err)
}

// Unwrap gives the cause.
func (e *PodError) Unwrap() error { return e.Err }

// waitForPod waits until the pod runs, and its mirror pod is ready where there is an
// API server. One that does not answer holds nobody up: the pod runs without it.
func (c *Commander) waitForPod(ctx context.Context, t target, before stale, timeout time.Duration) error {
	w := &podWait{commander: c, target: t, stale: before, began: time.Now()}
	err := w.wait(ctx, timeout, w.runs)
	if failed, ok := w.apiError.Load().(apiError); ok && failed.error != nil && err == nil {
		c.Tell.Warn("%s runs; its mirror pod could not be looked at: %v", t.name(), failed.error)
	}
	return err
}

// apiError is an error, or none, of one type: what atomic.Value wants.
type apiError struct{ error }

func (c *Commander) waitUntilGone(ctx context.Context, t target, timeout time.Duration) error {
	w := &podWait{commander: c, target: t, began: time.Now()}
	return w.wait(ctx, timeout, w.gone)
}

// wait does nothing on a machine that is only stood for: nothing runs there.
func (w *podWait) wait(ctx context.Context, timeout time.Duration, probe func(context.Context) error) error {
	if !w.commander.Host.Real() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := w.commander.Wait(ctx, ready.Wait{Checks: []health.Check{{Name: w.target.name(), Probe: probe}}, Look: w.evidence})
	if err == nil {
		return nil
	}
	return &PodError{observe.NamespaceOf(w.target.pod), w.target.pod.Name, ready.HintAfter(err, "journalctl -u kubelet -n 50")}
}

// runs says why the pod does not run yet, or is not ready.
func (w *podWait) runs(ctx context.Context) error {
	all, err := w.target.kubelet.AllSandboxes(ctx, w.commander.Host)
	if err != nil {
		return err
	}
	sandbox, err := w.current(all, time.Now())
	if err != nil {
		return w.orUnmet(ctx, err)
	}
	w.uid.Store(sandbox.UID)
	if err := ready.ContainersRun(w.target.pod, sandbox, time.Now()); err != nil {
		return err
	}
	return w.mirrorIsReady(ctx, sandbox.UID)
}

// current is the sandbox of what the file says now.
func (w *podWait) current(all []runtime.Sandbox, now time.Time) (*runtime.Sandbox, error) {
	isStale := func(s runtime.Sandbox) bool { return w.stale.has(s, now) }
	fresh := observe.NewestSandbox(slices.DeleteFunc(slices.Clone(all), isStale), w.target.key())
	switch {
	case fresh != nil:
		return fresh, nil
	case observe.NewestSandbox(all, w.target.key()) == nil:
		return nil, errors.New("the kubelet has made no pod of it yet")
	}
	return nil, errors.New("the pod of before is being stopped")
}

// orUnmet adds that the kubelet may never do what is waited for: until it has met its API
// server once since it was started, it removes no pod, and so replaces none.
func (w *podWait) orUnmet(ctx context.Context, err error) error {
	_, failed := w.target.kubelet.NodePods(ctx, w.commander.Host)
	w.apiError.Store(apiError{failed})
	if failed == nil || time.Since(w.began) < ready.LookRarelyAfter {
		return err
	}
	return fmt.Errorf("%w; a kubelet that has not met its API server since it was started removes no pod, and %w", err, failed)
}

// mirrorIsReady is nil also where no API server answers.
func (w *podWait) mirrorIsReady(ctx context.Context, uid string) error {
	pods, err := w.target.kubelet.NodePods(ctx, w.commander.Host)
	w.apiError.Store(apiError{err})
	if err != nil || pods == nil {
		return nil
	}
	i := slices.IndexFunc(pods, func(p corev1.Pod) bool { return p.Namespace+"/"+p.Name == w.target.key() })
	switch {
	case i < 0:
		return errors.New("it runs, and has no mirror pod yet")
	case !observe.IsMirror(&pods[i]):
		return errors.New("the pod of that name is no mirror pod")
	case pods[i].Annotations[observe.HashAnnotation] != uid:
		return errors.New("the mirror pod is still of the content before")
	}
	return mirrorReady(&pods[i])
}

// gone says what is left of the pod.
func (w *podWait) gone(ctx context.Context) error {
	all, err := w.target.kubelet.AllSandboxes(ctx, w.commander.Host)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Namespace+"/"+s.Name == w.target.key() && (s.Ready || observe.AnyRuns(s)) {
			return w.orUnmet(ctx, errors.New("its containers are being stopped"))
		}
	}
	pods, err := w.target.kubelet.NodePods(ctx, w.commander.Host)
	w.apiError.Store(apiError{err})
	if slices.ContainsFunc(pods, func(p corev1.Pod) bool { return observe.IsMirror(&p) && p.Namespace+"/"+p.Name == w.target.key() }) {
		return errors.New("its mirror pod is still there")
	}
	return nil
}

// settings are what evidence about the pod is judged by.
func (w *podWait) settings() diagnose.Settings {
	s := diagnose.Settings{
		NodeName: w.target.kubelet.NodeName, StaticPodDir: w.target.kubelet.StaticPodPath, RuntimeEndpoint: w.target.kubelet.Endpoint,
		Pod: w.target.key(), Manifest: w.target.file, Replaced: w.stale.uids,
	}
	for _, c := range slices.Concat(w.target.pod.Spec.InitContainers, w.target.pod.Spec.Containers) {
		s.Components = append(s.Components, c.Name)
	}
	return s
}

// evidence is looked for at the machine, the daemons and the pod, not at a control plane,
// which may be anybody's or nowhere.
func (w *podWait) evidence(ctx context.Context, q observe.Query) *diagnose.Evidence {
	q.Since = w.began
	return w.commander.DaemonEvidence(ctx, q, w.settings(), func(ctx context.Context, found *diagnose.Evidence) func() {
		pods, err := w.podEvidence(ctx)
		return func() { found.Pods, found.StaticPods, found.RuntimeError = pods, w.uids(), err }
	})
}

// uids is the UID of the pod as it is now, by its name; none while nothing is known.
func (w *podWait) uids() map[string]string {
	uid, _ := w.uid.Load().(string)
	return map[string]string{w.target.kubelet.PodName(w.target.pod.Name): uid}
}

func (w *podWait) podEvidence(ctx context.Context) (pods []runtime.Sandbox, runtimeError string) {
	all, err := w.target.kubelet.AllSandboxes(ctx, w.commander.Host)
	if err != nil {
		return nil, err.Error()
	}
	for _, s := range all {
		if s.Namespace+"/"+s.Name == w.target.key() && !w.stale.has(s, time.Now()) {
			observe.ReadLogs(s)
			pods = append(pods, s)
		}
	}
	return pods, ""
}
