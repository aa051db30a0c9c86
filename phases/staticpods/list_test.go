package staticpods

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/observe"
	"bootstrap/phases/runtime"
)

// TestSeenPods: files, sandboxes and mirror pods are joined to what a person asks for.
func TestSeenPods(t *testing.T) {
	const file = "/m/web.yaml"
	one := []observe.PodFile{{Path: file, Pod: webPod()}}
	base := Pod{Namespace: "default", Name: "web", RunsAs: "web-n1", File: file, Source: "file", State: StateStopped}
	is := func(edit func(*Pod)) []Pod {
		p := base
		edit(&p)
		return []Pod{p}
	}
	ready := &MirrorPod{Name: "web-n1", Ready: true, Hash: "h1"}
	for _, tt := range []struct {
		name string
		seen seenPods
		want []Pod
	}{
		{"a file, and nothing runs", seenPods{files: one}, is(func(*Pod) {})},
		{"it runs, and its mirror is ready", seenPods{files: one, sandboxes: []runtime.Sandbox{webSandbox("h1", true, webRuns)}, nodePods: []corev1.Pod{webMirror()}},
			is(func(p *Pod) { p.State, p.Hash, p.Restarts, p.Mirror = StateRunning, "h1", 1, ready })},
		{"the newest that is ready counts", seenPods{files: one, sandboxes: []runtime.Sandbox{webSandbox("h2", false, webFails), webSandbox("h1", true, webRuns)}},
			is(func(p *Pod) { p.State, p.Hash, p.Restarts = StateRunning, "h1", 1 })},
		{"it fails", seenPods{files: one, sandboxes: []runtime.Sandbox{webSandbox("h1", true, webFails, webRuns)}},
			is(func(p *Pod) { p.State, p.Hash, p.Restarts = StateFailed, "h1", 2 })},
		{"it has done its work", seenPods{files: one, sandboxes: []runtime.Sandbox{webSandbox("h1", false, webDone)}},
			is(func(p *Pod) { p.State, p.Hash = StateEnded, "h1" })},
		{"its init container is done, and no other there", seenPods{files: one, sandboxes: []runtime.Sandbox{webSandbox("h1", true, runtime.Container{Name: "first", Exited: true})}},
			is(func(p *Pod) { p.State, p.Hash = StateStarting, "h1" })},
		{"its init container runs", seenPods{files: one, sandboxes: []runtime.Sandbox{webSandbox("h1", true, runtime.Container{Name: "first", Running: true})}},
			is(func(p *Pod) { p.State, p.Hash = StateStarting, "h1" })},
		{"its init container fails", seenPods{files: one, sandboxes: []runtime.Sandbox{webSandbox("h1", true, runtime.Container{Name: "first", Exited: true, ExitCode: 1})}},
			is(func(p *Pod) { p.State, p.Hash = StateFailed, "h1" })},
		{"a container is missing", seenPods{files: one, sandboxes: []runtime.Sandbox{webSandbox("h1", true)}},
			is(func(p *Pod) { p.State, p.Hash = StateStarting, "h1" })},
		{"the mirror is of another content", seenPods{files: one, sandboxes: []runtime.Sandbox{webSandbox("h2", true, webRuns)}, nodePods: []corev1.Pod{webMirror()}},
			is(func(p *Pod) {
				p.State, p.Hash, p.Restarts, p.Mirror, p.Problem = StateRunning, "h2", 1, ready, "the mirror pod is of another content (hash h1)"
			})},
		{"another pod of that name is no mirror", seenPods{files: one, nodePods: []corev1.Pod{webMirror(func(p *corev1.Pod) { p.Annotations = nil })}}, is(func(*Pod) {})},
		{"its file is gone", seenPods{sandboxes: []runtime.Sandbox{webSandbox("h1", true, webRuns)}, nodePods: []corev1.Pod{webMirror()}},
			is(func(p *Pod) {
				p.File, p.State, p.Hash, p.Restarts, p.Mirror, p.Problem = "", StateRunning, "h1", 1, ready, "its file is gone, and it still runs"
			})},
		{"only the mirror is left", seenPods{nodePods: []corev1.Pod{webMirror()}},
			is(func(p *Pod) {
				p.File, p.Mirror, p.Problem = "", ready, "its file is gone, and the mirror pod is still there"
			})},
		{"what has ended and has no file is history", seenPods{sandboxes: []runtime.Sandbox{webSandbox("h1", false, webDone)}}, []Pod{}},
		{"from a URL", seenPods{sandboxes: []runtime.Sandbox{{UID: "h1", Namespace: "default", Name: "web-n1", Ready: true, Source: "http", Containers: []runtime.Container{webRuns}}}},
			is(func(p *Pod) {
				p.File, p.Source, p.State, p.Hash, p.Restarts = "", "http", StateRunning, "h1", 1
			})},
		{"a second file of it", seenPods{files: append(one, observe.PodFile{Path: "/m/web.yaml.bak", Pod: webPod()})},
			append(is(func(*Pod) {}), is(func(p *Pod) {
				p.File, p.State, p.Problem = "/m/web.yaml.bak", StateRefused, "it is the same pod as /m/web.yaml: the kubelet runs one of both"
			})...)},
		{"the kubelet has not admitted it", seenPods{files: one, denials: map[string]diagnose.Denial{"default/web-n1": {At: time.Unix(9, 0), Why: "OutOfpods: too many"}}},
			is(func(p *Pod) {
				p.State = StateRefused
				p.Problem = "refused by the kubelet: OutOfpods: too many; it looks again when /m/web.yaml is applied again"
			})},
		{"no Pod", seenPods{files: []observe.PodFile{{Path: "/m/x", Err: os.ErrInvalid}}},
			[]Pod{{File: "/m/x", Source: "file", State: StateRefused, Problem: "invalid argument"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.seen.kubelet.NodeName = "n1"
			got := tt.seen.pods()
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreUnexported(Pod{}), cmpopts.IgnoreFields(Pod{}, "Containers")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
