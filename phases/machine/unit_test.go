package machine

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// TestApart: systemd gives a unit its own mounts as the process here is given them.
func TestApart(t *testing.T) {
	own := exec.CommandContext(t.Context(), "sleep", "60")
	own.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if err := own.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = own.Wait() }() // it was killed
	defer func() { _ = own.Process.Kill() }()
	for name, c := range map[string]struct {
		pid  int
		want bool
	}{
		"a copy of all mounts": {own.Process.Pid, true},
		"the machine's mounts": {os.Getpid(), false},
		"no process":           {0, false},
		"one that has ended":   {-1, false},
	} {
		if got := apart(c.pid, os.Getpid()); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
