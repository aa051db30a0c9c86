package ready

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"bootstrap/phases/runtime"
)

// webPod is the manifest of a static pod of a user's.
func webPod(edits ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "example/web:1"}}},
	}
	for _, edit := range edits {
		edit(pod)
	}
	return pod
}

// webSandbox is what the runtime has of it.
func webSandbox(ready bool, containers ...runtime.Container) runtime.Sandbox {
	return runtime.Sandbox{UID: "h", Namespace: "default", Name: "web-n1", Ready: ready, Source: "file", Containers: containers}
}

var (
	webRuns  = runtime.Container{Name: "web", Running: true, Attempt: 1}
	webFails = runtime.Container{Name: "web", Exited: true, ExitCode: 3, Attempt: 2}
	webDone  = runtime.Container{Name: "web", Exited: true}
)

// TestContainersRun: a pod runs when each container does, for long enough, or is done.
func TestContainersRun(t *testing.T) {
	now := time.Now()
	since := func(c runtime.Container, d time.Duration) runtime.Container {
		c.Started = now.Add(-d)
		return c
	}
	once := func(p *corev1.Pod) { p.Spec.RestartPolicy = corev1.RestartPolicyOnFailure }
	first := func(p *corev1.Pod) { p.Spec.InitContainers = []corev1.Container{{Name: "first"}} }
	for _, tt := range []struct {
		name    string
		pod     *corev1.Pod
		sandbox runtime.Sandbox
		want    string // empty: it runs
	}{
		{"it does", webPod(), webSandbox(true, since(webRuns, MinUptime)), ""},
		{"not for long", webPod(), webSandbox(true, since(webRuns, time.Second)), "watched until it has for 3s"},
		{"no container", webPod(), webSandbox(true), "no container web yet"},
		{"it is being started", webPod(), webSandbox(true, runtime.Container{Name: "web"}), "is being started"},
		{"it has failed", webPod(), webSandbox(true, webFails), "ended (try 3, exit code 3)"},
		{"it has ended, and is to run for ever", webPod(), webSandbox(true, webDone), "ended (try 1, exit code 0)"},
		{"it has ended, as it was to", webPod(once), webSandbox(true, webDone), ""},
		{"and its sandbox is stopped", webPod(once), webSandbox(false, webDone), ""},
		{"it was to run once, and has failed", webPod(once), webSandbox(false, webFails), "ended (try 3, exit code 3)"},
		{"no sandbox", webPod(), webSandbox(false), "its sandbox is not ready"},
		{"an init container has failed", webPod(first), webSandbox(true, runtime.Container{Name: "first", Exited: true, ExitCode: 1}), "container first ended"},
	} {
		err := ContainersRun(tt.pod, &tt.sandbox, now)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
