package staticpods

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/machine"
	"bootstrap/phases/observe"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
)

// commanderOf is a Commander on a machine that has these files; /proc among them.
func commanderOf(t *testing.T, files map[string]string) *Commander {
	t.Helper()
	h, _ := hosttest.New(t)
	for path, content := range files {
		hosttest.Put(t, h, path, content, 0o644)
	}
	return Open(observe.Observer{Spec: spec.Spec{Facts: machine.Facts{Hostname: "Node-1"}}, Host: h})
}

// webPod is the manifest of a static pod of a user's.
func webPod(edits ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "web", Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "example/web:1"}}},
	}
	for _, edit := range edits {
		edit(pod)
	}
	return pod
}

// webSandbox is what the runtime has of webPod on n1.
func webSandbox(uid string, ready bool, containers ...runtime.Container) runtime.Sandbox {
	return runtime.Sandbox{UID: uid, Namespace: "default", Name: "web-n1", Ready: ready, Source: "file", Containers: containers}
}

var (
	webRuns  = runtime.Container{Name: "web", Running: true, Attempt: 1}
	webFails = runtime.Container{Name: "web", Exited: true, ExitCode: 3, Attempt: 2}
	webDone  = runtime.Container{Name: "web", Exited: true}
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
