package e2e

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDiskFull: init refuses a disk that is too small for its programs. Told to go on, it fills it: the error
// names the file, no part of it stays, and with more room init goes on.
func TestDiskFull(t *testing.T) {
	n := Up(t, 4*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	n.MustExec("mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", "/usr/local/bin")

	if r := n.Bootstrap("init"); r.Code != 2 || !r.Has("/usr/local/bin, for programs, has 100 MiB free: init needs ") {
		t.Errorf("it is not found before anything is written: %s", r)
	}
	r := n.Bootstrap("init", "--ignore", "disk-full")
	if r.Code != 1 {
		t.Errorf("exit code is not 1: %s", r)
	}
	// Two phases write there at once, each some files: whichever has no room is told, with
	// its phase if it is the only one.
	if !regexp.MustCompile(`(phase (runtime|kubelet)|error): write /usr/local/bin/[a-z0-9-]+:.*no space left on device`).MatchString(r.Err) {
		t.Errorf("it does not say what could not be written, and why: %s", r)
	}
	for _, name := range strings.Fields(n.MustExec("ls", "-A", "/usr/local/bin")) {
		whole, err := filepath.Glob(path(".cache/components/*/" + name))
		if err != nil || len(whole) != 1 {
			t.Fatalf("left in /usr/local/bin: %s", name)
		}
		n.Copy(whole[0], "/tmp/whole")
		n.MustExec("cmp", "/tmp/whole", "/usr/local/bin/"+name)
	}

	n.MustExec("mount", "-o", "remount,size=400m", "/usr/local/bin")
	n.MustBootstrap("init")
	n.Healthy(30 * time.Second)
}
