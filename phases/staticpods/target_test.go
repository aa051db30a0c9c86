package staticpods

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

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
