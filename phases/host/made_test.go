package host_test

import (
	"os"
	"testing"

	"bootstrap/phases/host/hosttest"
)

func TestForeignProgram(t *testing.T) {
	h, _ := hosttest.New(t)
	if got := h.ForeignProgram("kubelet"); got != "" {
		t.Errorf("found %s on an empty machine", got)
	}
	changed(t, true)(h.WriteFile("/usr/local/bin/kubelet", []byte("ours"), 0o755))
	if got := h.ForeignProgram("kubelet"); got != "" {
		t.Errorf("%s is ours", got)
	}
	put(t, h, "/usr/bin/kubelet", "theirs", 0o755)
	if got := h.ForeignProgram("kubelet"); got != "/usr/bin/kubelet" {
		t.Errorf("found %q, want /usr/bin/kubelet", got)
	}
}

// TestMadeThroughLink: what init made is its own by any name.
func TestMadeThroughLink(t *testing.T) {
	h, _ := hosttest.New(t)
	changed(t, true)(h.WriteFile("/usr/local/bin/kubelet", []byte("x"), 0o755))
	must(t, os.Symlink("bin", h.Path("/usr/local/sbin")))
	if got := h.ForeignProgram("kubelet"); got != "" {
		t.Errorf("somebody else's: %s", got)
	}
}
