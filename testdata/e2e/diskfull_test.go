package e2e

import (
	"testing"
	"time"
)

// TestDiskFull fills the disk in the middle of init: the error names the file, no
// part of it stays, and with more room init goes on.
func TestDiskFull(t *testing.T) {
	n := Up(t, 4*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	n.MustExec("mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", "/usr/local/bin")

	r := n.Bootstrap("init")
	if r.Code != 1 {
		t.Errorf("exit code is not 1: %s", r)
	}
	for _, text := range []string{"phase etcd: write /usr/local/bin/etcdctl:", "no space left on device"} {
		if !r.Has(text) {
			t.Errorf("it does not say %q: %s", text, r)
		}
	}
	const want = "containerd\ncontainerd-shim-runc-v2\nctr\nrunc\n"
	if got := n.MustExec("ls", "-A", "/usr/local/bin"); got != want {
		t.Errorf("left in /usr/local/bin:\n%s", got)
	}

	n.MustExec("mount", "-o", "remount,size=400m", "/usr/local/bin")
	n.MustBootstrap("init")
	n.Healthy(30 * time.Second)
}
