package staticpods

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"bootstrap/phases/observe"
	"bootstrap/phases/runtime"
)

// webMirror is what the API server has of webPod on n1, with its defaults.
func webMirror(edits ...func(*corev1.Pod)) corev1.Pod {
	pod := webPod()
	pod.Name, pod.Namespace = "web-n1", "default"
	pod.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "h1", observe.HashAnnotation: "h1", "kubernetes.io/config.source": "file"}
	pod.Spec.RestartPolicy, pod.Spec.NodeName = corev1.RestartPolicyAlways, "n1"
	pod.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
	for _, edit := range edits {
		edit(pod)
	}
	return *pod
}

// TestSeenPods: files, sandboxes and mirror pods are joined to what a person asks for.
func TestSeenPods(t *testing.T) {
	const file = "/m/web.yaml"
	one := []observe.PodFile{{Path: file, Pod: webPod()}}
	base := StaticPod{Namespace: "default", Name: "web", Pod: "web-n1", File: file, Source: "file", State: StateStopped}
	is := func(edit func(*StaticPod)) []StaticPod {
		p := base
		edit(&p)
		return []StaticPod{p}
	}
	ready := &MirrorPod{Name: "web-n1", Ready: true, Hash: "h1"}
	for _, tt := range []struct {
		name string
		seen seenPods
		want []StaticPod
	}{
		{"a file, and nothing runs", seenPods{files: one}, is(func(*StaticPod) {})},
		{"it runs, and its mirror is ready", seenPods{files: one, sandboxes: []runtime.Sandbox{webSandbox("h1", true, webRuns)}, mirrors: []corev1.Pod{webMirror()}},
			is(func(p *StaticPod) { p.State, p.Hash, p.Restarts, p.Mirror = StateRunning, "h1", 1, ready })},
		{"the newest that is ready counts", seenPods{files: one, sandboxes: []runtime.Sandbox{webSandbox("h2", false, webFails), webSandbox("h1", true, webRuns)}},
			is(func(p *StaticPod) { p.State, p.Hash, p.Restarts = StateRunning, "h1", 1 })},
		{"it fails", seenPods{files: one, sandboxes: []runtime.Sandbox{webSandbox("h1", true, webFails, webRuns)}},
			is(func(p *StaticPod) { p.State, p.Hash, p.Restarts = StateFailed, "h1", 2 })},
		{"it has done its work", seenPods{files: one, sandboxes: []runtime.Sandbox{webSandbox("h1", false, webDone)}},
			is(func(p *StaticPod) { p.State, p.Hash = StateEnded, "h1" })},
		{"its init container is done, and no other there", seenPods{files: one, sandboxes: []runtime.Sandbox{webSandbox("h1", true, runtime.Container{Name: "first", Exited: true})}},
			is(func(p *StaticPod) { p.State, p.Hash = StateStarting, "h1" })},
		{"its init container runs", seenPods{files: one, sandboxes: []runtime.Sandbox{webSandbox("h1", true, runtime.Container{Name: "first", Running: true})}},
			is(func(p *StaticPod) { p.State, p.Hash = StateStarting, "h1" })},
		{"its init container fails", seenPods{files: one, sandboxes: []runtime.Sandbox{webSandbox("h1", true, runtime.Container{Name: "first", Exited: true, ExitCode: 1})}},
			is(func(p *StaticPod) { p.State, p.Hash = StateFailed, "h1" })},
		{"a container is missing", seenPods{files: one, sandboxes: []runtime.Sandbox{webSandbox("h1", true)}},
			is(func(p *StaticPod) { p.State, p.Hash = StateStarting, "h1" })},
		{"the mirror is of another content", seenPods{files: one, sandboxes: []runtime.Sandbox{webSandbox("h2", true, webRuns)}, mirrors: []corev1.Pod{webMirror()}},
			is(func(p *StaticPod) {
				p.State, p.Hash, p.Restarts, p.Mirror, p.Problem = StateRunning, "h2", 1, ready, "the mirror pod is of another content (hash h1)"
			})},
		{"another pod of that name is no mirror", seenPods{files: one, mirrors: []corev1.Pod{webMirror(func(p *corev1.Pod) { p.Annotations = nil })}}, is(func(*StaticPod) {})},
		{"its file is gone", seenPods{sandboxes: []runtime.Sandbox{webSandbox("h1", true, webRuns)}, mirrors: []corev1.Pod{webMirror()}},
			is(func(p *StaticPod) {
				p.File, p.State, p.Hash, p.Restarts, p.Mirror, p.Problem = "", StateRunning, "h1", 1, ready, "its file is gone, and it still runs"
			})},
		{"only the mirror is left", seenPods{mirrors: []corev1.Pod{webMirror()}},
			is(func(p *StaticPod) {
				p.File, p.Mirror, p.Problem = "", ready, "its file is gone, and the mirror pod is still there"
			})},
		{"what has ended and has no file is history", seenPods{sandboxes: []runtime.Sandbox{webSandbox("h1", false, webDone)}}, nil},
		{"from a URL", seenPods{sandboxes: []runtime.Sandbox{{UID: "h1", Namespace: "default", Name: "web-n1", Ready: true, Source: "http", Containers: []runtime.Container{webRuns}}}},
			is(func(p *StaticPod) {
				p.File, p.Source, p.State, p.Hash, p.Restarts = "", "http", StateRunning, "h1", 1
			})},
		{"a second file of it", seenPods{files: append(one, observe.PodFile{Path: "/m/web.yaml.bak", Pod: webPod()})},
			append(is(func(*StaticPod) {}), is(func(p *StaticPod) {
				p.File, p.State, p.Problem = "/m/web.yaml.bak", StateRefused, "it is the same pod as /m/web.yaml: the kubelet runs one of both"
			})...)},
		{"no Pod", seenPods{files: []observe.PodFile{{Path: "/m/x", Err: os.ErrInvalid}}},
			[]StaticPod{{File: "/m/x", Source: "file", State: StateRefused, Problem: "invalid argument"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.seen.pods(observe.KubeletFound{NodeName: "n1"})
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreUnexported(StaticPod{}), cmpopts.IgnoreFields(StaticPod{}, "Containers")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestDiffers: what the API server adds is no difference, what it has otherwise is.
func TestDiffers(t *testing.T) {
	for _, tt := range []struct {
		name     string
		manifest *corev1.Pod
		mirror   corev1.Pod
		want     string
	}{
		{"the same", webPod(), webMirror(), ""},
		{"an image", webPod(), webMirror(func(p *corev1.Pod) { p.Spec.Containers[0].Image = "x" }), "spec.containers[0].image"},
		{"a label", webPod(), webMirror(func(p *corev1.Pod) { p.Labels["app"] = "x" }), "metadata.labels.app"},
		{"a second container", webPod(func(p *corev1.Pod) { p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "b"}) }), webMirror(), "spec.containers"},
		{"a field that the mirror has not", webPod(func(p *corev1.Pod) { p.Spec.HostNetwork = true }), webMirror(), "spec.hostNetwork"},
	} {
		if got := differs(tt.manifest, &tt.mirror); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestCurrent: after a change of the file, what was made before does not count; unless it
// is there long after the kubelet must have seen the change, which then was none to it.
func TestCurrent(t *testing.T) {
	changed := time.Now()
	made := func(uid string, after time.Duration) runtime.Sandbox {
		s := webSandbox(uid, true, webRuns)
		s.Created = changed.Add(after)
		return s
	}
	w := &staticPodWait{target: target{kubelet: observe.KubeletFound{NodeName: "n1"}, pod: webPod()}, stale: stale{since: changed, until: changed.Add(time.Minute)}}
	for _, tt := range []struct {
		name string
		all  []runtime.Sandbox
		at   time.Duration
		want string // a UID, or a part of the reason
	}{
		{"nothing", nil, time.Second, "has made no pod of it yet"},
		{"one before", []runtime.Sandbox{made("h1", -time.Hour)}, time.Second, "being stopped"},
		{"one since", []runtime.Sandbox{made("h2", time.Second), made("h1", -time.Hour)}, 2 * time.Second, "h2"},
		{"one before, that stays", []runtime.Sandbox{made("h1", -time.Hour)}, 2 * time.Minute, "h1"},
	} {
		s, err := w.current(tt.all, changed.Add(tt.at))
		if err == nil && s.UID != tt.want || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v, want %s", tt.name, s, err, tt.want)
		}
	}
}

// TestSays: a Pod in other words is the same to the kubelet.
func TestSays(t *testing.T) {
	read := func(text string) *corev1.Pod {
		pod, err := observe.ReadPod([]byte("apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n" + text))
		if err != nil {
			t.Fatal(err)
		}
		return pod
	}
	one := target{pod: read("spec: {containers: [{name: web, image: x}]} # a comment")}
	if !one.says(read("spec:\n  containers:\n  - image: x\n    name: web\n")) || one.says(read("spec: {containers: [{name: web, image: y}]}")) || one.says(nil) {
		t.Error("what is the same is another, or what is another the same")
	}
}

// TestTakenByTheCluster: names and ports of pods that only the runtime or the API know.
func TestTakenByTheCluster(t *testing.T) {
	port := func(p *corev1.Pod) {
		p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 8080}}
	}
	plain := func(p *corev1.Pod) { p.Annotations = nil }
	other := func(p *corev1.Pod) { p.Name = "other" }
	over := func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }
	for _, tt := range []struct {
		name string
		seen seenPods
		want string
	}{
		{"nobody", seenPods{}, ""},
		{"a pod of the cluster has the name", seenPods{mirrors: []corev1.Pod{webMirror(plain)}}, "the cluster has a pod default/web-n1 already"},
		{"its own mirror has it", seenPods{mirrors: []corev1.Pod{webMirror(port)}}, ""},
		{"a pod from a URL has the name", seenPods{sandboxes: []runtime.Sandbox{{Namespace: "default", Name: "web-n1", Ready: true, Source: "http"}}}, "from a URL"},
		{"a pod of the cluster has the port", seenPods{mirrors: []corev1.Pod{webMirror(plain, other, port)}}, "spec.containers[0].ports[0]: port 8080/TCP of this machine is taken by the pod default/other"},
		{"it has ended", seenPods{mirrors: []corev1.Pod{webMirror(plain, other, port, over)}}, ""},
		{"two files have the name", seenPods{files: []observe.PodFile{{Path: "/m/a", Pod: webPod()}, {Path: "/m/b", Pod: webPod()}}}, "/m/a and /m/b hold the pod default/web both"},
		{"a file of ours has it", seenPods{files: []observe.PodFile{{Path: "/m/a", Pod: webPod(), Ours: true}}}, "is of the control plane that bootstrap made"},
	} {
		env := machineOf(t, map[string]string{"/m/keep": "", "/proc/net/tcp": ""})
		_, err := env.target(observe.KubeletFound{NodeName: "n1", StaticPodPath: "/m"}, tt.seen, webPod(port), PodSource{File: "web.yaml"})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestTakenByAListener: a program that listens has the port, the pod itself before does not.
func TestTakenByAListener(t *testing.T) {
	env := machineOf(t, map[string]string{
		"/m/keep": "",
		"/proc/net/tcp": "  sl  local_address rem_address   st\n   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1\n" +
			"   1: 3500007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4243 1\n",
	})
	pod := webPod(func(p *corev1.Pod) {
		p.Spec.HostNetwork, p.Spec.Containers[0].Ports = true, []corev1.ContainerPort{{ContainerPort: 8080}}
	})
	k := observe.KubeletFound{NodeName: "n1", StaticPodPath: "/m"}
	if _, err := env.target(k, seenPods{}, pod, PodSource{}); err == nil || !strings.Contains(err.Error(), "port 8080/TCP of this machine is taken by a program that listens there") {
		t.Errorf("%v", err)
	}
	if _, err := env.target(k, seenPods{files: []observe.PodFile{{Path: "/m/web.yaml", Pod: pod}}}, pod, PodSource{}); err != nil {
		t.Errorf("its own port: %v", err)
	}
	undeclared := webPod(func(p *corev1.Pod) { p.Spec.HostNetwork = true })
	if _, err := env.target(k, seenPods{files: []observe.PodFile{{Path: "/m/web.yaml", Pod: undeclared}}}, pod, PodSource{}); err != nil {
		t.Errorf("its own port, not declared before: %v", err)
	}
	dns := webPod(func(p *corev1.Pod) {
		p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 53, HostPort: 53}}
	})
	if _, err := env.target(k, seenPods{}, dns, PodSource{}); err != nil {
		t.Errorf("beside a listener at loopback: %v", err)
	}
}

// TestEditedMirror: what somebody changed through the API is seen, what is as it should is not.
func TestEditedMirror(t *testing.T) {
	runs := []runtime.Sandbox{webSandbox("h1", true, webRuns)}
	for _, tt := range []struct {
		name string
		seen seenPods
		want bool
	}{
		{"as the file has it", seenPods{sandboxes: runs, mirrors: []corev1.Pod{webMirror()}}, false},
		{"another image", seenPods{sandboxes: runs, mirrors: []corev1.Pod{webMirror(func(p *corev1.Pod) { p.Spec.Containers[0].Image = "x" })}}, true},
		{"another hash", seenPods{sandboxes: runs, mirrors: []corev1.Pod{webMirror(func(p *corev1.Pod) { p.Annotations[observe.HashAnnotation] = "x" })}}, true},
		{"nothing runs yet", seenPods{mirrors: []corev1.Pod{webMirror(func(p *corev1.Pod) { p.Labels["app"] = "x" })}}, false},
		{"no mirror pod", seenPods{sandboxes: runs, mirrors: []corev1.Pod{webMirror(func(p *corev1.Pod) { p.Annotations = nil })}}, false},
	} {
		got := tt.seen.editedMirror(target{kubelet: observe.KubeletFound{NodeName: "n1"}, pod: webPod()})
		if (got != nil) != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestMirrorReady(t *testing.T) {
	waits := corev1.ContainerStatus{Name: "web", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "no route"}}}
	for _, tt := range []struct {
		name string
		edit func(*corev1.Pod)
		want string // empty: it is ready
	}{
		{"it is", func(*corev1.Pod) {}, ""},
		{"it has done its work", func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodSucceeded} }, ""},
		{"it is about to go", func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Now()} }, "is being deleted"},
		{"it was not admitted", func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "OutOfcpu"} }, "is failed: OutOfcpu"},
		{"a container waits", func(p *corev1.Pod) { p.Status.ContainerStatuses = []corev1.ContainerStatus{waits} }, "web: its container waits: ErrImagePull no route"},
		{"nothing is known of it", func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodPending} }, "is pending"},
	} {
		mirror := webMirror(tt.edit)
		err := mirrorReady(&mirror)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
