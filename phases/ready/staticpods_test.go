package ready

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/runtime"
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
		{"it does", webPod(), webSandbox("h", true, since(webRuns, Steady)), ""},
		{"not for long", webPod(), webSandbox("h", true, since(webRuns, time.Second)), "watched until it has for 3s"},
		{"no container", webPod(), webSandbox("h", true), "no container web yet"},
		{"it is being started", webPod(), webSandbox("h", true, runtime.Container{Name: "web"}), "is being started"},
		{"it has failed", webPod(), webSandbox("h", true, webFails), "ended (try 3, exit code 3)"},
		{"it has ended, and is to run for ever", webPod(), webSandbox("h", true, webDone), "ended (try 1, exit code 0)"},
		{"it has ended, as it was to", webPod(once), webSandbox("h", true, webDone), ""},
		{"and its sandbox is stopped", webPod(once), webSandbox("h", false, webDone), ""},
		{"it was to run once, and has failed", webPod(once), webSandbox("h", false, webFails), "ended (try 3, exit code 3)"},
		{"no sandbox", webPod(), webSandbox("h", false), "its sandbox is not ready"},
		{"an init container has failed", webPod(first), webSandbox("h", true, runtime.Container{Name: "first", Exited: true, ExitCode: 1}), "container first ended"},
	} {
		err := ContainersRun(tt.pod, &tt.sandbox, now)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
