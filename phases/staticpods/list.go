package staticpods

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
)

// Pod is a static pod as its file, the container runtime and the API server have it.
type Pod struct {
	Namespace  string      `json:"namespace,omitempty"`
	Name       string      `json:"name,omitempty"` // as in the file
	RunsAs     string      `json:"pod,omitempty"`  // as the kubelet runs it: NAME-NODE
	File       string      `json:"file,omitempty"`
	Source     string      `json:"source"` // file, http
	Ours       bool        `json:"ours"`   // of the control plane that bootstrap made
	Hash       string      `json:"hash,omitempty"`
	State      string      `json:"state"`
	Restarts   int         `json:"restarts"`
	Containers []Container `json:"containers,omitempty"`
	Mirror     *MirrorPod  `json:"mirror,omitempty"`
	Problem    string      `json:"problem,omitempty"`

	manifest *corev1.Pod // nil if the file can't be read, or there is none

	denied *diagnose.Denial // nil if the kubelet has admitted it as its file is
}

// Container is the newest try of a container.
type Container struct {
	Name     string `json:"name"`
	Image    string `json:"image"`
	State    string `json:"state"`
	ID       string `json:"id,omitempty"`
	Restarts int    `json:"restarts"`
	ExitCode *int   `json:"exitCode,omitempty"`
	Since    string `json:"since,omitempty"` // RFC 3339, UTC: when it came into that state
}

// MirrorPod is what the kubelet shows of a static pod in the API.
type MirrorPod struct {
	Name   string `json:"name"`
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"` // why it is not
	Hash   string `json:"hash"`
}

// The states of a static pod, and of its containers.
const (
	StateRunning  = "running"
	StateStarting = "starting"
	StateEnded    = "ended"   // all it was to do is done
	StateFailed   = "failed"  // a container has ended with an error
	StateStopped  = "stopped" // nothing of it runs
	StateRefused  = "refused" // the kubelet can't take its file, or does not admit the pod
)

// List is the static pods of this machine.
type List struct {
	Kubelet observe.KubeletFound
	Pods    []Pod
	Notes   []string // what could not be asked
}

// List lists the static pods of this machine's kubelet. It needs neither an API
// server nor a runtime that answers: what these would say is left out, and Notes has why.
func (c *Commander) List(ctx context.Context) (List, error) {
	seen, err := c.seePods(ctx)
	if err != nil {
		return List{}, err
	}
	list := List{Kubelet: seen.kubelet, Pods: seen.pods(), Notes: slices.Clone(seen.kubelet.Warnings)}
	if seen.runtimeError != nil {
		list.Notes = append(list.Notes, fmt.Sprintf("containers: %v", seen.runtimeError))
	}
	if seen.apiError != nil {
		list.Notes = append(list.Notes, fmt.Sprintf("mirror pods: %v", seen.apiError))
	}
	if !list.Kubelet.Running {
		list.Notes = append(list.Notes, "the kubelet does not run: what changes in its folder has no effect")
	}
	return list, nil
}

// seenPods is what the machine has of static pods, in each of their three forms.
type seenPods struct {
	kubelet   observe.KubeletFound
	files     []observe.PodFile
	sandboxes []runtime.Sandbox
	nodePods  []corev1.Pod // all of the node, mirror pods among them

	denials map[string]diagnose.Denial // of pods that the running kubelet has not admitted, by namespace/name

	runtimeError error
	apiError     error
}

// denial is why the kubelet has not admitted a pod whose file was changed at that time; nil if it
// has, or was not asked since.
func (s seenPods) denial(key string, changed time.Time) *diagnose.Denial {
	denial, ok := s.denials[key]
	sandbox := observe.NewestSandbox(s.sandboxes, key)
	if !ok || denial.At.Before(changed) || sandbox != nil && sandbox.Created.After(denial.At) {
		return nil
	}
	return &denial
}

func (c *Commander) seePods(ctx context.Context) (seenPods, error) {
	k, err := c.FindKubelet(ctx)
	if err != nil {
		return seenPods{}, err
	}
	seen := seenPods{kubelet: k}
	var filesError error
	plan.SideBySide(
		func() { seen.files, filesError = observe.PodFiles(c.Host, k.StaticPodPath) },
		func() { seen.sandboxes, seen.runtimeError = k.AllSandboxes(ctx, c.Host) },
		func() { seen.nodePods, seen.apiError = k.NodePods(ctx, c.Host) },
		func() { seen.denials = c.denials(ctx) },
	)
	return seen, filesError
}

// denials are what the kubelet that runs has said of pods that it did not admit, as far as it is known.
func (c *Commander) denials(ctx context.Context) map[string]diagnose.Denial {
	ctx, cancel := observe.EvidenceTimeout.Bound(ctx)
	defer cancel()
	unit, err := c.Host.UnitState(ctx, spec.KubeletService)
	if err != nil || !unit.Running() {
		return nil
	}
	said, _ := c.Host.Journal(ctx, unit.Started, spec.KubeletService) // none without a journal
	return diagnose.Denials(said)
}

// pods joins the three forms by the pods' names: first those with a file, in the order of
// the files, then those without one.
func (s seenPods) pods() []Pod {
	all := []Pod{} // a list, also without any
	first := map[string]string{}
	for _, f := range s.files {
		p := s.podOf(f)
		switch before := first[p.key()]; {
		case p.Name != "" && before != "":
			p.State, p.Problem = StateRefused, fmt.Sprintf("it is the same pod as %s: the kubelet runs one of both", before)
		case p.manifest != nil:
			first[p.key()] = f.Path
			s.fill(&p)
			if p.denied = s.denial(p.key(), f.Changed); p.denied != nil {
				p.State = StateRefused
				p.Problem = "refused by the kubelet: " + p.denied.Why + "; it looks again when " + p.File + " is applied again"
			}
		}
		all = append(all, p)
	}
	return append(all, s.withoutFile(first)...)
}

func (s seenPods) podOf(f observe.PodFile) Pod {
	p := Pod{File: f.Path, Source: "file", Ours: f.Ours, State: StateStopped, manifest: f.Pod}
	if f.Err != nil {
		p.State, p.Problem = StateRefused, f.Err.Error()
	}
	if f.Pod != nil {
		p.Namespace, p.Name, p.RunsAs = observe.NamespaceOf(f.Pod), f.Pod.Name, s.kubelet.PodName(f.Pod.Name)
	}
	return p
}

func (p *Pod) key() string { return p.Namespace + "/" + p.RunsAs }

// fill adds what the runtime and the API server have of a pod.
func (s seenPods) fill(p *Pod) {
	if sandbox := observe.NewestSandbox(s.sandboxes, p.key()); sandbox != nil {
		p.fromSandbox(sandbox)
	}
	if m := s.mirror(p.key()); m != nil {
		p.Mirror = mirrorPodOf(m)
		p.compare(m)
	}
}

// mirror is the mirror pod of a namespace/name, nil if there is none.
func (s seenPods) mirror(key string) *corev1.Pod {
	if p := podNamed(s.nodePods, key); p != nil && observe.IsMirror(p) {
		return p
	}
	return nil
}

// podNamed is the pod of a namespace/name, nil if there is none.
func podNamed(pods []corev1.Pod, key string) *corev1.Pod {
	i := slices.IndexFunc(pods, func(p corev1.Pod) bool { return observe.FullName(&p) == key })
	if i < 0 {
		return nil
	}
	return &pods[i]
}

func (p *Pod) fromSandbox(s *runtime.Sandbox) {
	p.Hash = s.UID
	counts := map[string]int{}
	for _, c := range observe.NewestTries(s.Containers) {
		each := containerOf(c)
		if each.State == StateFailed || p.isMain(c.Name) {
			counts[each.State]++
		}
		p.Restarts += each.Restarts
		p.Containers = append(p.Containers, each)
	}
	if p.State != StateRefused || s.Ready {
		p.State = podState(s, counts, p.manifest)
	}
}

// isMain is false of init containers, which are done before the pod begins its work.
func (p *Pod) isMain(name string) bool {
	return p.manifest == nil || slices.ContainsFunc(p.manifest.Spec.Containers, func(c corev1.Container) bool { return c.Name == name })
}

func podState(s *runtime.Sandbox, counts map[string]int, manifest *corev1.Pod) string {
	begun := counts[StateRunning] + counts[StateEnded]
	all := begun > 0 && (manifest == nil || begun >= len(manifest.Spec.Containers))
	switch {
	case counts[StateFailed] > 0:
		return StateFailed
	case !s.Ready && begun == 0:
		return StateStopped
	case all && counts[StateRunning] > 0:
		return StateRunning
	case all && counts[StateStarting] == 0:
		return StateEnded
	}
	return StateStarting
}

func containerOf(c runtime.Container) Container {
	s := Container{Name: c.Name, Image: c.Image, ID: c.ID, Restarts: int(c.Attempt), State: StateStarting}
	since := c.Created
	switch {
	case c.Running:
		s.State, since = StateRunning, c.Started
	case c.Exited:
		s.State, s.ExitCode, since = StateEnded, new(int(c.ExitCode)), c.Finished
		if c.ExitCode != 0 {
			s.State = StateFailed
		}
	}
	if !since.IsZero() {
		s.Since = since.UTC().Format(time.RFC3339)
	}
	return s
}

// withoutFile are static pods that run, or show in the API, and come from no file: from a
// URL, or from a file that is gone.
func (s seenPods) withoutFile(known map[string]string) []Pod {
	var all []Pod
	add := func(namespace, pod, source, problem string) {
		p := Pod{Namespace: namespace, Name: strings.TrimSuffix(pod, "-"+s.kubelet.NodeName), RunsAs: pod, Source: source, State: StateStopped}
		if known[p.key()] != "" {
			return
		}
		known[p.key()] = source
		if source != "http" {
			p.Problem = problem
		}
		s.fill(&p)
		all = append(all, p)
	}
	for _, sandbox := range s.sandboxes {
		if sandbox.Source == "http" && sandbox.Ready || sandbox.Source == "file" && (sandbox.Ready || observe.AnyRuns(sandbox)) {
			add(sandbox.Namespace, sandbox.Name, sandbox.Source, "its file is gone, and it still runs")
		}
	}
	for i := range s.nodePods {
		if m := &s.nodePods[i]; observe.IsMirror(m) {
			add(m.Namespace, m.Name, m.Annotations["kubernetes.io/config.source"], "its file is gone, and the mirror pod is still there")
		}
	}
	return all
}
