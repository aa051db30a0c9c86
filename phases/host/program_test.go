package host_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
)

// TestScratch: a scratch folder goes with who made it, also one of a process that was killed; another's stays.
func TestScratch(t *testing.T) {
	h, _ := hosttest.New(t)
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	left := fmt.Sprintf("/var/lib/bootstrap-scratch-%d-1", dead.Process.Pid)
	others := fmt.Sprintf("/var/lib/bootstrap-scratch-%d-1", os.Getppid())
	for _, dir := range []string{left, others, "/var/lib/bootstrap-scratch-mine"} {
		if err := os.MkdirAll(h.Path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	wrong, made := errors.New("it went wrong"), ""
	err := h.Scratch(t.Context(), func(dir *os.Root) error {
		made = dir.Name()
		return errors.Join(wrong, dir.WriteFile("file", nil, 0o600))
	})
	if !errors.Is(err, wrong) {
		t.Error(err)
	}
	if _, err := os.Stat(made); !os.IsNotExist(err) {
		t.Errorf("%s: %v", made, err)
	}
	if h.Exists(left) || !h.Exists(others) || !h.Exists("/var/lib/bootstrap-scratch-mine") {
		t.Error("what a killed process left is there, or what is another's is gone")
	}
}

// TestTry: a program runs for as long as somebody does something with it.
func TestTry(t *testing.T) {
	h, _ := hosttest.New(t)
	dir := t.TempDir()
	err := h.Try(t.Context(), dir, []string{"/bin/sh", "-c", "echo $$ >pid; exec sleep 60"}, func(context.Context) error {
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if data, _ := os.ReadFile(dir + "/pid"); len(data) > 0 {
				return nil
			}
		}
		return errors.New("it does not run")
	})
	if err != nil {
		t.Fatal(err)
	}
	pid, _ := os.ReadFile(dir + "/pid")
	if _, err := os.Stat("/proc/" + strings.TrimSpace(string(pid))); err == nil {
		t.Error("it still runs")
	}
	if err := h.Try(t.Context(), dir, []string{"/nowhere/etcd"}, func(context.Context) error { return nil }); err == nil {
		t.Error("there is no such program")
	}
}

// TestInTree: only what goes with a tree of ours is changed; a plan only tells of it.
func TestInTree(t *testing.T) {
	h, _ := hosttest.New(t)
	make := func(folder *os.Root) error { return folder.WriteFile("file", nil, 0o600) }
	if err := os.MkdirAll(h.Path("/srv/data"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := h.InTree("/srv/data", host.Create, "file", make); err == nil || h.Exists("/srv/data/file") {
		t.Errorf("it is not ours: %v", err)
	}
	if err := h.OwnTree("/srv/data"); err != nil {
		t.Fatal(err)
	}
	planning, err := h.Planning()
	if err != nil {
		t.Fatal(err)
	}
	defer planning.Close()
	if err := planning.InTree("/srv/data", host.Create, "file", make); err != nil || h.Exists("/srv/data/file") {
		t.Errorf("a plan: %v", err)
	}
	if err := h.InTree("/srv/data", host.Create, "file", make); err != nil || !h.Exists("/srv/data/file") {
		t.Error(err)
	}
}
