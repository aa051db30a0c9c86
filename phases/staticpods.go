package phases

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/cluster"
	"bootstrap/phases/config"
	"bootstrap/phases/podmanifest"
	"bootstrap/phases/runtime"
)

// StaticPod is a static pod as its file, the container runtime and the API server have it.
type StaticPod struct {
	Namespace  string            `json:"namespace,omitempty"`
	Name       string            `json:"name,omitempty"` // as in the file
	Pod        string            `json:"pod,omitempty"`  // as it runs: NAME-NODE
	File       string            `json:"file,omitempty"`
	Source     string            `json:"source"` // file, http
	Ours       bool              `json:"ours"`   // of the control plane that bootstrap made
	Hash       string            `json:"hash,omitempty"`
	State      string            `json:"state"`
	Restarts   int               `json:"restarts"`
	Containers []StaticContainer `json:"containers,omitempty"`
	Mirror     *MirrorPod        `json:"mirror,omitempty"`
	Problem    string            `json:"problem,omitempty"`

	manifest *corev1.Pod // nil if the file can't be read, or there is none
}

// StaticContainer is the newest try of a container.
type StaticContainer struct {
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
	StateRefused  = "refused" // the kubelet can't take its file
)

// StaticPodList is all that StaticPods has seen.
type StaticPodList struct {
	Kubelet KubeletFound
	Pods    []StaticPod
	Notes   []string // what could not be asked
}

// StaticPods lists the static pods of this machine's kubelet. It needs neither an API
// server nor a runtime that answers: what can't be told is left out, and noted.
func StaticPods(ctx context.Context, env *Env) (StaticPodList, error) {
	k, err := FindKubelet(ctx, env)
	if err != nil {
		return StaticPodList{}, err
	}
	list := StaticPodList{Kubelet: k, Notes: slices.Clone(k.Warnings)}
	seen, err := env.seeStaticPods(ctx, k)
	if err != nil {
		return list, err
	}
	if seen.runtimeError != nil {
		list.Notes = append(list.Notes, fmt.Sprintf("containers: %v", seen.runtimeError))
	}
	if seen.apiError != nil {
		list.Notes = append(list.Notes, fmt.Sprintf("mirror pods: %v", seen.apiError))
	}
	if !k.Running {
		list.Notes = append(list.Notes, "the kubelet does not run: what changes in its folder has no effect")
	}
	list.Pods = seen.pods(k)
	return list, nil
}

// seenPods is what the machine has of static pods, in each of its three forms.
type seenPods struct {
	files     []podFile
	sandboxes []runtime.Sandbox
	mirrors   []corev1.Pod // and all other pods of the node

	runtimeError error
	apiError     error
}

// podFile is a file in the static pod directory.
type podFile struct {
	path string
	ours bool
	pod  *corev1.Pod // nil if it is none
	err  error       // why
}

func (e *Env) seeStaticPods(ctx context.Context, k KubeletFound) (seenPods, error) {
	var seen seenPods
	var filesError error
	sideBySide(
		func() { seen.files, filesError = e.podFiles(k.StaticPodPath) },
		func() { seen.sandboxes, seen.runtimeError = e.allSandboxes(ctx, k) },
		func() { seen.mirrors, seen.apiError = e.nodePods(ctx, k) },
	)
	return seen, filesError
}

// podFiles reads a directory, or a single file, as the kubelet does: what begins with a
// dot, and folders, are passed over.
func (e *Env) podFiles(dir string) ([]podFile, error) {
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(e.Host.Path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if info, statErr := os.Stat(e.Host.Path(dir)); err != nil && statErr == nil && !info.IsDir() {
		return []podFile{e.podFile(dir)}, nil
	}
	var files []podFile
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") && !entry.IsDir() {
			files = append(files, e.podFile(dir+"/"+entry.Name()))
		}
	}
	return files, err
}

func (e *Env) podFile(path string) podFile {
	f := podFile{path: path, ours: e.made(path)}
	data, err := e.Host.ReadFile(path)
	if err == nil {
		f.pod, err = readPod(data)
	}
	if err != nil {
		f.err = errors.New(strings.TrimPrefix(err.Error(), "error converting YAML to JSON: "))
	} else if _, err := podmanifest.Parse(path, data); err != nil && !f.ours {
		f.err = err
	}
	return f
}

// allSandboxes are those of the runtime that this kubelet uses.
func (e *Env) allSandboxes(ctx context.Context, k KubeletFound) ([]runtime.Sandbox, error) {
	if !e.Host.Real() {
		return nil, nil // what runs is not that machine's
	}
	return Pods(ctx, e, PodQuery{Endpoint: k.endpoint, All: true})
}

// nodePods are the pods of this node in the API, asked as its kubelet; none where the
// kubelet has no API server, or is not yet let in.
func (e *Env) nodePods(ctx context.Context, k KubeletFound) ([]corev1.Pod, error) {
	c, err := e.connectAs(k)
	if err != nil || c == nil {
		return nil, err
	}
	ctx, cancel := answerTimeout.bound(ctx)
	defer cancel()
	pods, err := c.PodsOfNode(ctx, k.nodeName)
	if err != nil {
		return nil, fmt.Errorf("the API server does not tell: %w", err)
	}
	return pods, nil
}

// connectAs talks to the API server as the kubelet does; nil where it has none.
func (e *Env) connectAs(k KubeletFound) (*cluster.Cluster, error) {
	if k.kubeconfig == "" || !e.Host.Real() {
		return nil, nil
	}
	data, err := e.Host.ReadFile(k.kubeconfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := cluster.Connect(data, "")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.kubeconfig, err)
	}
	return c, nil
}

// pods joins the three by the pods' names: first the files in their order, then what
// has none.
func (s seenPods) pods(k KubeletFound) []StaticPod {
	var all []StaticPod
	first := map[string]string{}
	for _, f := range s.files {
		p := staticPodOf(f, k)
		key := p.key()
		if p.Name != "" && first[key] != "" {
			p.State, p.Problem = StateRefused, fmt.Sprintf("it is the same pod as %s: the kubelet runs one of both", first[key])
			all = append(all, p)
			continue
		}
		if p.manifest != nil {
			first[key] = f.path
			s.fill(&p)
		}
		all = append(all, p)
	}
	return append(all, s.withoutFile(k, first)...)
}

func staticPodOf(f podFile, k KubeletFound) StaticPod {
	p := StaticPod{File: f.path, Source: "file", Ours: f.ours, State: StateStopped, manifest: f.pod}
	if f.err != nil {
		p.State, p.Problem = StateRefused, f.err.Error()
	}
	if f.pod != nil {
		p.Namespace, p.Name, p.Pod = namespaceOf(f.pod), f.pod.Name, k.podName(f.pod.Name)
	}
	return p
}

// podName is how the kubelet calls a static pod.
func (k KubeletFound) podName(name string) string { return name + "-" + k.nodeName }

func namespaceOf(pod *corev1.Pod) string {
	if pod.Namespace == "" {
		return "default"
	}
	return pod.Namespace
}

func (p *StaticPod) key() string { return p.Namespace + "/" + p.Pod }

// fill adds what the runtime and the API server have of a pod.
func (s seenPods) fill(p *StaticPod) {
	if sandbox := newestSandbox(s.sandboxes, p.key()); sandbox != nil {
		p.fromSandbox(sandbox)
	}
	for i := range s.mirrors {
		m := &s.mirrors[i]
		if m.Namespace == p.Namespace && m.Name == p.Pod && isMirror(m) {
			p.Mirror = mirrorPodOf(m)
			p.compare(m)
		}
	}
}

// newestSandbox is the newest of a pod that is up, else the newest; nil without.
func newestSandbox(all []runtime.Sandbox, key string) *runtime.Sandbox {
	var newest *runtime.Sandbox
	for i := range all { // the newest first
		if all[i].Namespace+"/"+all[i].Name != key {
			continue
		}
		if all[i].Ready {
			return &all[i]
		}
		if newest == nil {
			newest = &all[i]
		}
	}
	return newest
}

func (p *StaticPod) fromSandbox(s *runtime.Sandbox) {
	p.Hash = s.UID
	counts := map[string]int{}
	for _, c := range newestTries(s.Containers) {
		each := staticContainer(c)
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
func (p *StaticPod) isMain(name string) bool {
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

// newestTries are the newest try of each container: the list has it first.
func newestTries(all []runtime.Container) []runtime.Container {
	return slices.CompactFunc(slices.Clone(all), func(a, b runtime.Container) bool { return a.Name == b.Name })
}

func staticContainer(c runtime.Container) StaticContainer {
	s := StaticContainer{Name: c.Name, Image: c.Image, ID: c.ID, Restarts: int(c.Attempt), State: StateStarting}
	since := c.Created
	switch {
	case c.Running:
		s.State, since = StateRunning, c.Started
	case c.Exited:
		code := int(c.ExitCode)
		s.State, s.ExitCode, since = StateEnded, &code, c.Finished
		if code != 0 {
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
func (s seenPods) withoutFile(k KubeletFound, known map[string]string) []StaticPod {
	var all []StaticPod
	add := func(namespace, pod, source, problem string) {
		p := StaticPod{Namespace: namespace, Name: strings.TrimSuffix(pod, "-"+k.nodeName), Pod: pod, Source: source, State: StateStopped}
		if known[p.key()] != "" {
			return
		}
		known[p.key()] = source
		if p.Problem = problem; source == "http" {
			p.Problem = ""
		}
		s.fill(&p)
		all = append(all, p)
	}
	for _, sandbox := range s.sandboxes {
		if sandbox.Source == "http" && sandbox.Ready || sandbox.Source == "file" && (sandbox.Ready || anyRuns(sandbox)) {
			add(sandbox.Namespace, sandbox.Name, sandbox.Source, "its file is gone, and it still runs")
		}
	}
	for i := range s.mirrors {
		if m := &s.mirrors[i]; isMirror(m) {
			add(m.Namespace, m.Name, m.Annotations["kubernetes.io/config.source"], "its file is gone, and the mirror pod is still there")
		}
	}
	return all
}

func anyRuns(s runtime.Sandbox) bool {
	return slices.ContainsFunc(s.Containers, func(c runtime.Container) bool { return c.Running })
}

// NewStaticPodEnv is for the commands about static pods, whose kubelet may be anybody's.
func NewStaticPodEnv(e Env) *Env {
	e.Config = &config.Config{}
	return Open(e).forPhase("static-pod")
}
