package host

import (
	"testing"

	"bootstrap/phases/host/hosttest"
)

func TestForeignPrograms(t *testing.T) {
	env := testEnv(t, "default")
	if got := env.ForeignProgram("kubelet"); got != "" {
		t.Errorf("found %s on an empty machine", got)
	}
	if _, err := env.WriteFile("/usr/local/bin/kubelet", []byte("ours"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := env.ForeignProgram("kubelet"); got != "" {
		t.Errorf("%s is ours", got)
	}
	hosttest.Put(t, env, "/usr/bin/kubelet", "theirs", 0o755)
	if got := env.ForeignProgram("kubelet"); got != "/usr/bin/kubelet" {
		t.Errorf("found %q, want /usr/bin/kubelet", got)
	}
}
