package phases

import (
	"strings"
	"testing"

	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/plan"
	"bootstrap/phases/plan/plantest"
	"bootstrap/phases/spec"
)

// TestForeignTasks: a containerd that is down is kept as one that answers, if a container
// of others runs on without it.
func TestForeignTasks(t *testing.T) {
	env := testEnv(t, "default")
	const tasks = "/run/containerd/io.containerd.runtime.v2.task/"
	hosttest.Put(t, env.Host, tasks+"canary/theirs/init.pid", "1", 0o600)
	if err := foreignContainers(t.Context(), env); err != nil {
		t.Errorf("of a containerd that is not ours: %v", err)
	}
	if _, err := env.Host.WriteFile(spec.ContainerdUnit, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := foreignContainers(t.Context(), env)
	plantest.CheckError(t, err, "others have containers in it: canary/theirs")
	if hint := plan.HintOf(err); !strings.Contains(hint, "systemctl restart containerd; ctr -n canary containers rm theirs") {
		t.Error(hint)
	}

	env = testEnv(t, "default")
	hosttest.Put(t, env.Host, tasks+"k8s.io/ours/init.pid", "1", 0o600)
	if _, err := env.Host.WriteFile(spec.ContainerdUnit, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := foreignContainers(t.Context(), env); err != nil {
		t.Error(err)
	}
}
