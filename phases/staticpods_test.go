package phases

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"bootstrap/phases/runtime"
)

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

func webSandbox(uid string, ready bool, containers ...runtime.Container) runtime.Sandbox {
	return runtime.Sandbox{UID: uid, Namespace: "default", Name: "web-n1", Ready: ready, Source: "file", Containers: containers}
}

var (
	webRuns  = runtime.Container{Name: "web", Running: true, Attempt: 1}
	webFails = runtime.Container{Name: "web", Exited: true, ExitCode: 3, Attempt: 2}
	webDone  = runtime.Container{Name: "web", Exited: true}
)
