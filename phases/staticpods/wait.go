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
	"k8s.io/utils/ptr"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/health"
	"bootstrap/phases/observe"
	"bootstrap/phases/ready"
	"bootstrap/phases/runtime"
)

// relist is how often a kubelet reads its folder, also if it was sent no notice of a change.
const relist = 20 * time.Second

// replaced is the pod that a file had before it was changed, and that may still run. The
// kubelet alone knows the hash of a content, as it is of the pod with all defaults; so the
// pod is known by its sandbox: one that was made before the change is of the file as it was
// then. If such a sandbox is still there when the kubelet must have seen the change, the
// change was none to the kubelet, and the sandbox is of the file as it is.
type replaced struct {
	since time.Time // when the file was changed; zero if nothing was replaced
	until time.Time // when the kubelet must have seen the change, and stopped the pod
	uids  []string  // the pod's, as far as they are known
}

// has tells whether a sandbox is of the pod that was replaced.
func (r replaced) has(sandbox runtime.Sandbox, now time.Time) bool {
	return sandbox.Created.Before(r.since) && now.Before(r.until)
}

// podBefore is the pod that the target's file had before, by the time of its last change. Where
// this command has changed only a comment, or the order of fields, the kubelet sees no difference.
func (c *Commander) podBefore(t target, changed bool) (replaced, error) {
	if t.file == "" || !c.Host.Real() || changed && (t.says(t.old) || t.sameUID()) {
		return replaced{}, nil
	}
	since, err := c.Host.Changed(t.file)
	grace := max(gracePeriod(t.old), gracePeriod(t.pod))
	return replaced{since: since, until: since.Add(relist + grace + 5*time.Second), uids: t.uidsBefore()}, err
}

// says tells whether a file holds the same Pod, be it in other words.
func (t target) says(other *corev1.Pod) bool {
	return other != nil && reflect.DeepEqual(plainJSON(t.pod), plainJSON(other))
}

// uidsBefore are those of the pod that is to be replaced: in the runtime and, of one that never got
// a sandbox, in the API.
func (t target) uidsBefore() []string {
	if t.says(t.old) {
		return nil
	}
	var uids []string
	for _, sandbox := range t.seen.sandboxes {
		if sandbox.FullName() == t.key() {
			uids = append(uids, sandbox.UID)
		}
	}
	if m := t.seen.mirror(t.key()); m != nil {
		uids = append(uids, m.Annotations[observe.HashAnnotation])
	}
	return uids
}

func gracePeriod(pod *corev1.Pod) time.Duration {
	if pod == nil {
		return 0
	}
	seconds := ptr.Deref(pod.Spec.TerminationGracePeriodSeconds, corev1.DefaultTerminationGracePeriodSeconds)
	return time.Duration(seconds) * time.Second
}

// podWait is one wait for a static pod.
type podWait struct {
	*Commander
	target
	replaced replaced
	began    time.Time
	leaves   bool // it is waited for until it is gone: why it did not start is of no interest

	uid      atomic.Value          // string: of what is waited for, once something runs
	apiError atomic.Pointer[error] // why the API server could not be asked, the last time
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
func (c *Commander) waitForPod(ctx context.Context, t target, changed bool, timeout time.Duration) error {
	before, err := c.podBefore(t, changed)
	if err != nil {
		return err
	}
	w := &podWait{Commander: c, target: t, replaced: before, began: time.Now()}
	switch {
	case t.denied != nil:
		w.began = t.denied.At // it is the kubelet's last word on the pod
	case changed: // the kubelet may have said its word on the file before this line
		if w.began, err = c.Host.Changed(t.file); err != nil {
			return err
		}
	}
	err = w.wait(ctx, timeout, w.runs)
	if unasked := w.apiError.Load(); unasked != nil && *unasked != nil && err == nil {
		c.Tell.Warn("%s runs; its mirror pod could not be looked at: %v", t.name(), *unasked)
	}
	return err
}

// wait does nothing below a --root that only stands for a machine: nothing runs there.
func (w *podWait) wait(ctx context.Context, timeout time.Duration, probe func(context.Context) error) error {
	if !w.Host.Real() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := w.Wait(ctx, ready.Wait{Checks: []health.Check{{Name: w.name(), Probe: probe}}, Look: w.evidence, AsItIs: true})
	if err == nil {
		return nil
	}
	return &PodError{observe.NamespaceOf(w.pod), w.pod.Name, ready.HintAfter(err, "journalctl -u kubelet -n 50")}
}

// nodePods asks the API server, and keeps why it could not be asked.
func (w *podWait) nodePods(ctx context.Context) ([]corev1.Pod, error) {
	pods, err := w.kubelet.NodePods(ctx, w.Host)
	w.apiError.Store(&err)
	return pods, err
}

// runs says why the pod does not run yet, or is not ready.
func (w *podWait) runs(ctx context.Context) error {
	all, err := w.kubelet.AllSandboxes(ctx, w.Host)
	if err != nil {
		return err
	}
	sandbox, err := w.current(all, time.Now())
	if err != nil {
		return w.orUnmet(ctx, err)
	}
	w.uid.Store(sandbox.UID)
	if err := ready.ContainersRun(w.pod, sandbox, time.Now()); err != nil {
		return err
	}
	return w.mirrorIsReady(ctx, sandbox.UID)
}

// current is the sandbox of what the file says now.
func (w *podWait) current(all []runtime.Sandbox, now time.Time) (*runtime.Sandbox, error) {
	isReplaced := func(s runtime.Sandbox) bool { return w.replaced.has(s, now) }
	fresh := observe.NewestSandbox(slices.DeleteFunc(slices.Clone(all), isReplaced), w.key())
	switch {
	case fresh != nil:
		return fresh, nil
	case observe.NewestSandbox(all, w.key()) == nil:
		return nil, errors.New("the kubelet has made no pod of it yet")
	}
	return nil, errors.New("the pod of before is being stopped")
}

// orUnmet adds that the kubelet may never do what is waited for: until it has met its API
// server once since it was started, it removes no pod, and so replaces none.
func (w *podWait) orUnmet(ctx context.Context, err error) error {
	_, unasked := w.nodePods(ctx)
	if unasked == nil || time.Since(w.began) < ready.LookRarelyAfter {
		return err
	}
	return fmt.Errorf("%w; a kubelet that has not met its API server since it was started removes no pod, and %w", err, unasked)
}

// mirrorIsReady is nil also where no API server answers.
func (w *podWait) mirrorIsReady(ctx context.Context, uid string) error {
	pods, err := w.nodePods(ctx)
	if err != nil || pods == nil {
		return nil
	}
	mirror := podNamed(pods, w.key())
	switch {
	case mirror == nil:
		return errors.New("it runs, and has no mirror pod yet")
	case !observe.IsMirror(mirror):
		return errors.New("the pod of that name is no mirror pod")
	case mirror.Annotations[observe.HashAnnotation] != uid:
		return errors.New("the mirror pod is still of the content before")
	}
	return mirrorReady(mirror)
}

// gone says what is left of the pod, nil if nothing is.
func (w *podWait) gone(ctx context.Context) error {
	all, err := w.kubelet.AllSandboxes(ctx, w.Host)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.FullName() == w.key() && (s.Ready || observe.AnyRuns(s)) {
			return w.orUnmet(ctx, errors.New("its containers are being stopped"))
		}
	}
	pods, _ := w.nodePods(ctx) // without an API server there is no mirror pod to wait for
	if p := podNamed(pods, w.key()); p != nil && observe.IsMirror(p) {
		return errors.New("its mirror pod is still there")
	}
	return nil
}

// settings are what evidence about the pod is judged by.
func (w *podWait) settings() diagnose.Settings {
	s := diagnose.Settings{
		NodeName: w.kubelet.NodeName, StaticPodDir: w.kubelet.StaticPodPath, RuntimeEndpoint: w.kubelet.Endpoint,
		Pod: w.key(), Manifest: w.file, Replaced: w.replaced.uids,
	}
	if w.leaves {
		s.Pod += ", which leaves" // a name that nothing in the logs has
	}
	for _, c := range slices.Concat(w.pod.Spec.InitContainers, w.pod.Spec.Containers) {
		s.Components = append(s.Components, c.Name)
	}
	return s
}

// evidence is looked for at the machine, the daemons and the pod, not at a control plane,
// which may be anybody's or nowhere.
func (w *podWait) evidence(ctx context.Context, q observe.Query) *diagnose.Evidence {
	q.Since = w.began
	found := w.DaemonEvidence(ctx, q, w.settings(), w.sandboxes)
	uid, _ := w.uid.Load().(string) // empty while nothing is known
	found.StaticPods = map[string]string{w.kubelet.PodName(w.pod.Name): uid}
	return found
}

// sandboxes are what the runtime has of the pod, but for what was replaced.
func (w *podWait) sandboxes(ctx context.Context) ([]runtime.Sandbox, error) {
	all, err := w.kubelet.AllSandboxes(ctx, w.Host)
	return slices.DeleteFunc(all, func(s runtime.Sandbox) bool {
		return s.FullName() != w.key() || w.replaced.has(s, time.Now())
	}), err
}
