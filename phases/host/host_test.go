package host_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
)

const childEnv = "HOST_TEST_CHILD"

// TestMain lets the tests run this binary as another process.
func TestMain(m *testing.M) {
	if root := os.Getenv(childEnv + "_LOCK"); root != "" {
		holdLock(root)
		return
	}
	os.Exit(m.Run())
}

// inMountNamespace runs the calling test again in a process with mounts of its own,
// which vanish with it. It is true in that process.
func inMountNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(childEnv) == t.Name() {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("NOT RUN: mounting needs root")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), childEnv+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

func mount(t *testing.T, source, target, kind string, flags uintptr) {
	t.Helper()
	if err := syscall.Mount(source, target, kind, flags, ""); err != nil {
		t.Fatalf("mount %s: %v", target, err)
	}
	t.Cleanup(func() { syscall.Unmount(target, syscall.MNT_DETACH) })
}

// snapshot is every path below root with its mode, owner and content, without the
// lock and the ledger.
func snapshot(t *testing.T, root string) string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if rel == "run" || rel == "var/lib/bootstrap" {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		line := []string{rel, info.Mode().String(), strconv.Itoa(int(st.Uid)), strconv.Itoa(int(st.Gid))}
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line = append(line, strconv.Quote(string(data)))
		}
		lines = append(lines, strings.Join(line, " "))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// reported tells whether an effect was made, or there was nothing to do.
func reported(h *host.Host, do func(*host.Host) error) (made bool, err error) {
	err = do(h.Under("test", func(host.Change) { made = true }))
	return made, err
}

// changed checks the two results of an effect.
func changed(t *testing.T, want bool) func(bool, error) {
	return func(got bool, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("changed = %t, want %t", got, want)
		}
	}
}

// wantObstacle checks that err tells of an obstacle in these words.
func wantObstacle(t *testing.T, err error, words string) *host.ObstacleError {
	t.Helper()
	var obstacle *host.ObstacleError
	if !errors.As(err, &obstacle) || !strings.Contains(err.Error(), words) {
		t.Fatalf("error is %v (%T), want an obstacle: %s", err, err, words)
	}
	return obstacle
}

// put makes a file of somebody else's.
func put(t *testing.T, h *host.Host, path, content string, mode os.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(h.Path(path)), 0o755))
	must(t, os.WriteFile(h.Path(path), []byte(content), mode))
	must(t, os.Chmod(h.Path(path), mode))
}

func wantFile(t *testing.T, h *host.Host, path, content string, mode os.FileMode) {
	t.Helper()
	data, err := os.ReadFile(h.Path(path))
	must(t, err)
	info, err := os.Lstat(h.Path(path))
	must(t, err)
	if string(data) != content || info.Mode() != mode {
		t.Fatalf("%s: %q %s, want %q %s", path, data, info.Mode(), content, mode)
	}
}

func wantGone(t *testing.T, h *host.Host, path string) {
	t.Helper()
	if _, err := os.Lstat(h.Path(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is still there (%v)", path, err)
	}
}

// reopen closes h, as the end of a process would, and opens the same root.
func reopen(t *testing.T, h *host.Host) (*host.Host, *hosttest.Units) {
	t.Helper()
	must(t, h.Close())
	return hosttest.Open(t, h.Path("/"))
}
