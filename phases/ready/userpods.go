package ready

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/observe"
	"bootstrap/phases/runtime"
)

// ContainersRun says which container does not run, or has run for less than MinUptime, or nil. In a
// pod that is to run once, containers may have ended well: then the kubelet stops the sandbox too.
func ContainersRun(pod *corev1.Pod, sandbox *runtime.Sandbox, now time.Time) error {
	once := pod.Spec.RestartPolicy == corev1.RestartPolicyNever || pod.Spec.RestartPolicy == corev1.RestartPolicyOnFailure
	if !sandbox.Ready && !once {
		return errors.New("its sandbox is not ready")
	}
	for _, want := range pod.Spec.InitContainers {
		if c := tryOf(sandbox, want.Name); c != nil && c.Exited && c.ExitCode != 0 {
			return endedError(c)
		}
	}
	for _, want := range pod.Spec.Containers {
		c := tryOf(sandbox, want.Name)
		switch {
		case once && c != nil && c.Exited && c.ExitCode == 0:
		case c == nil || !c.Running:
			return checkRuns(want.Name, c)
		case startedWithin(MinUptime, c.Started, now):
			return fmt.Errorf("container %s runs, watched until it has for %s (restarts so far: %d)", want.Name, MinUptime, c.Attempt)
		}
	}
	return nil
}

// tryOf is the newest try of a container, which its sandbox lists first; nil if it was not tried.
func tryOf(sandbox *runtime.Sandbox, name string) *runtime.Container {
	for _, c := range sandbox.Containers {
		if c.Name == name {
			return &c
		}
	}
	return nil
}

// PodURLStatus is what the URL of the kubelet's static pods gives, and what has come of it.
type PodURLStatus struct {
	URL    string   `json:"url"`             // without the part that may hold a key
	Error  string   `json:"error,omitempty"` // why it gives nothing now
	Serves []string `json:"serves,omitempty"`
	Runs   []string `json:"runs,omitempty"` // the pods that run, of those that it served last
}

// podURLStatus asks the URL, and also gives the pods that it serves. It is nil for a kubelet that
// fetches no pods.
func (w *Waiter) podURLStatus(ctx context.Context) (*PodURLStatus, []WantedPod) {
	source, err := observe.KubeletPodURL(w.Host)
	if err != nil || source.URL == "" || !w.Host.Real() {
		return nil, nil
	}
	s := &PodURLStatus{URL: source.Shown(), Runs: w.podsOfURL(ctx)}
	var served []corev1.Pod
	data, err := observe.FetchPods(ctx, source)
	if err == nil {
		served, err = observe.PodsIn(data)
	}
	if err != nil {
		s.Error = err.Error()
		return s, nil
	}
	var pods []WantedPod
	for _, pod := range served {
		p := w.wanted(&pod)
		pods, s.Serves = append(pods, p), append(s.Serves, p.Name)
	}
	return s, pods
}

// podsOfURL are the pods that run and came from the URL.
func (w *Waiter) podsOfURL(ctx context.Context) []string {
	ctx, cancel := observe.EvidenceTimeout.Bound(ctx)
	defer cancel()
	all, err := observe.Pods(ctx, w.Host, observe.PodQuery{All: true})
	if err != nil {
		return nil // that it does not answer is said elsewhere
	}
	var names []string
	for _, pod := range all {
		if pod.Source == "http" && pod.Ready {
			names = append(names, pod.FullName())
		}
	}
	return names
}

// WantedPod is a static pod that somebody else wants to run on this node.
type WantedPod struct {
	Name string // namespace/name, to which the kubelet has added the name of the node
	pod  *corev1.Pod
}

func (w *Waiter) wanted(pod *corev1.Pod) WantedPod {
	return WantedPod{w.PodName(observe.FullName(pod)), pod}
}

// userPods are the static pods whose manifests others have put beside ours. Manifests that the
// kubelet can't read are left out: they are a finding of their own.
func (w *Waiter) userPods() []WantedPod {
	files, err := w.ForeignPodFiles()
	if err != nil {
		w.Tell.Warn("%v", err)
	}
	var all []WantedPod
	for _, f := range files {
		if f.Unreadable == nil {
			all = append(all, w.wanted(f.Pod))
		}
	}
	return all
}

// down says why a pod does not run, nil if it does.
func (p WantedPod) down(ctx context.Context, c *runtime.CRI) error {
	namespace, _, _ := strings.Cut(p.Name, "/")
	all, err := c.Sandboxes(ctx, namespace)
	if err != nil {
		return fmt.Errorf("the container runtime does not answer: %w", err)
	}
	sandbox := observe.NewestSandbox(all, p.Name)
	if sandbox == nil {
		return errors.New("the container runtime has no such pod yet")
	}
	return ContainersRun(p.pod, sandbox, time.Now())
}

func endedError(c *runtime.Container) error {
	return fmt.Errorf("container %s ended (try %d, exit code %d): %s", c.Name, c.Attempt+1, c.ExitCode, cmp.Or(c.LastLine(), c.Message, c.Reason))
}
