package staticpods

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/observe"
	"bootstrap/phases/runtime"
)

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
		{"a pod of the cluster has the name", seenPods{nodePods: []corev1.Pod{webMirror(plain)}}, "the cluster has a pod default/web-n1 already"},
		{"its own mirror has it", seenPods{nodePods: []corev1.Pod{webMirror(port)}}, ""},
		{"a pod from a URL has the name", seenPods{sandboxes: []runtime.Sandbox{{Namespace: "default", Name: "web-n1", Ready: true, Source: "http"}}}, "from a URL"},
		{"a pod of the cluster has the port", seenPods{nodePods: []corev1.Pod{webMirror(plain, other, port)}}, "spec.containers[0].ports[0]: port 8080/TCP of this machine is taken by the pod default/other"},
		{"it has ended", seenPods{nodePods: []corev1.Pod{webMirror(plain, other, port, over)}}, ""},
		{"two files have the name", seenPods{files: []observe.PodFile{{Path: "/m/a", Pod: webPod()}, {Path: "/m/b", Pod: webPod()}}}, "/m/a and /m/b hold the pod default/web both"},
		{"a file of ours has it", seenPods{files: []observe.PodFile{{Path: "/m/a", Pod: webPod(), Ours: true}}}, "is of the control plane that bootstrap made"},
	} {
		c := commanderOf(t, map[string]string{"/m/keep": "", "/proc/net/tcp": ""})
		tt.seen.kubelet = observe.KubeletFound{NodeName: "n1", StaticPodPath: "/m"}
		_, err := c.target(tt.seen, webPod(port), PodSource{File: "web.yaml"})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestTakenByAListener: a program that listens has the port, the pod itself before does not.
func TestTakenByAListener(t *testing.T) {
	c := commanderOf(t, map[string]string{
		"/m/keep": "",
		"/proc/net/tcp": "  sl  local_address rem_address   st\n   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1\n" +
			"   1: 3500007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4243 1\n",
	})
	pod := webPod(func(p *corev1.Pod) {
		p.Spec.HostNetwork, p.Spec.Containers[0].Ports = true, []corev1.ContainerPort{{ContainerPort: 8080}}
	})
	k := observe.KubeletFound{NodeName: "n1", StaticPodPath: "/m"}
	if _, err := c.target(seenPods{kubelet: k}, pod, PodSource{}); err == nil || !strings.Contains(err.Error(), "port 8080/TCP of this machine is taken by a program that listens there") {
		t.Errorf("%v", err)
	}
	if _, err := c.target(seenPods{kubelet: k, files: []observe.PodFile{{Path: "/m/web.yaml", Pod: pod}}}, pod, PodSource{}); err != nil {
		t.Errorf("its own port: %v", err)
	}
	undeclared := webPod(func(p *corev1.Pod) { p.Spec.HostNetwork = true })
	if _, err := c.target(seenPods{kubelet: k, files: []observe.PodFile{{Path: "/m/web.yaml", Pod: undeclared}}}, pod, PodSource{}); err != nil {
		t.Errorf("its own port, not declared before: %v", err)
	}
	dns := webPod(func(p *corev1.Pod) {
		p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 53, HostPort: 53}}
	})
	if _, err := c.target(seenPods{kubelet: k}, dns, PodSource{}); err != nil {
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
		{"as the file has it", seenPods{sandboxes: runs, nodePods: []corev1.Pod{webMirror()}}, false},
		{"another image", seenPods{sandboxes: runs, nodePods: []corev1.Pod{webMirror(func(p *corev1.Pod) { p.Spec.Containers[0].Image = "x" })}}, true},
		{"another hash", seenPods{sandboxes: runs, nodePods: []corev1.Pod{webMirror(func(p *corev1.Pod) { p.Annotations[observe.HashAnnotation] = "x" })}}, true},
		{"nothing runs yet", seenPods{nodePods: []corev1.Pod{webMirror(func(p *corev1.Pod) { p.Labels["app"] = "x" })}}, false},
		{"no mirror pod", seenPods{sandboxes: runs, nodePods: []corev1.Pod{webMirror(func(p *corev1.Pod) { p.Annotations = nil })}}, false},
	} {
		got := target{kubelet: observe.KubeletFound{NodeName: "n1"}, seen: tt.seen, pod: webPod()}.editedMirror()
		if (got != nil) != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// TestLabels: what the kubelet would not admit for the Node's labels is refused, preferences are not.
func TestLabels(t *testing.T) {
	node := &corev1.Node{}
	node.Name, node.Labels = "n1", map[string]string{"kubernetes.io/os": "linux"}
	selects := func(key, value string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{key: value} }
	}
	term := func(values ...string) corev1.NodeSelectorTerm {
		return corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "kubernetes.io/os", Operator: corev1.NodeSelectorOpIn, Values: values}}}
	}
	requires := func(values ...string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			required := &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{term(values...)}}
			p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: required}}
		}
	}
	prefers := func(p *corev1.Pod) {
		preferred := []corev1.PreferredSchedulingTerm{{Weight: 1, Preference: term("plan9")}}
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: preferred}}
	}
	for _, tt := range []struct {
		name string
		edit func(*corev1.Pod)
		want string
	}{
		{"nothing", func(*corev1.Pod) {}, ""},
		{"a label it has", selects("kubernetes.io/os", "linux"), ""},
		{"another value", selects("kubernetes.io/os", "windows"), "the Node n1 has no label kubernetes.io/os=windows"},
		{"a label it lacks", selects("disk", "ssd"), "the Node n1 has no label disk=ssd"},
		{"affinity that holds", requires("windows", "linux"), ""},
		{"affinity that does not", requires("windows"), "the Node n1 has no label that matches one of its terms"},
		{"a preference", prefers, ""},
	} {
		err := checkLabels(webPod(tt.edit), node)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestPassedOver: only what the kubelet has read as it is, and has made nothing of, is offered again.
func TestPassedOver(t *testing.T) {
	now := time.Date(2026, 11, 25, 14, 0, 0, 0, time.UTC)
	denied := map[string]diagnose.Denial{"default/web-n1": {At: now.Add(-time.Minute), Why: "OutOfpods: too many"}}
	older := webSandbox("h1", false, webFails)
	older.Created = now.Add(-time.Hour)
	newer := webSandbox("h1", false, webDone)
	newer.Created = now.Add(-time.Second)
	for _, tt := range []struct {
		name    string
		changed time.Duration // before now
		seen    seenPods
		want    bool
	}{
		{"no pod of an old file", time.Hour, seenPods{}, true},
		{"no pod yet of a new file", 30 * time.Second, seenPods{}, false},
		{"the runtime does not tell", time.Hour, seenPods{runtimeError: errors.New("away")}, false},
		{"it has done its work", time.Hour, seenPods{sandboxes: []runtime.Sandbox{newer}}, false},
		{"not admitted", 2 * time.Minute, seenPods{denials: denied}, true},
		{"not admitted after a reboot", time.Hour, seenPods{denials: denied, sandboxes: []runtime.Sandbox{older}}, true},
		{"admitted later", time.Hour, seenPods{denials: denied, sandboxes: []runtime.Sandbox{newer}}, false},
		{"as the file was before", 30 * time.Second, seenPods{denials: denied}, false},
	} {
		tt.seen.kubelet = observe.KubeletFound{NodeName: "n1", Running: true}
		of := target{kubelet: tt.seen.kubelet, seen: tt.seen, pod: webPod(), changed: now.Add(-tt.changed)}
		if got := of.passedOver(now); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
		of.changed = time.Time{}
		if of.passedOver(now) {
			t.Errorf("%s, without a file", tt.name)
		}
	}
}

// TestSameUID: what the kubelet takes for the pod that runs is not waited for as another one.
func TestSameUID(t *testing.T) {
	uid := func(p *corev1.Pod) { p.UID = "2f1b" }
	for _, tt := range []struct {
		old, new *corev1.Pod
		want     bool
	}{{webPod(), webPod(), false}, {webPod(uid), webPod(uid), true}, {webPod(), webPod(uid), false}, {nil, webPod(uid), false}} {
		if got := (target{old: tt.old, pod: tt.new}).sameUID(); got != tt.want {
			t.Errorf("%v, %v: %v", tt.old, tt.new, got)
		}
	}
}
