package spec

import (
	"os"
	"testing"
)

// TestMadeThroughLink: what init made is its own by any name.
func TestMadeThroughLink(t *testing.T) {
	env := testEnv(t, "default")
	if _, err := env.Host.WriteFile(BinDir+"/kubelet", []byte("x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("bin", env.Host.Path("/usr/local/sbin")); err != nil {
		t.Fatal(err)
	}
	if got := env.ForeignProgram("kubelet"); got != "" {
		t.Errorf("somebody else's: %s", got)
	}
}
