package host_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"bootstrap/phases/host/hosttest"
)

func TestOwnTree(t *testing.T) {
	h, _ := hosttest.New(t)
	put(t, h, "/var/lib/containers/theirs/db", "somebody's data", 0o600)
	must(t, h.OwnTree("/var/lib/containers"))
	put(t, h, "/var/lib/containers/ours/db", "a daemon's data", 0o600)
	put(t, h, "/var/lib/containers/theirs/new", "theirs too", 0o600)

	must(t, h.OwnTree("/var/lib/none/yet"))
	must(t, os.MkdirAll(h.Path("/var/lib/empty"), 0o750))
	must(t, h.OwnTree("/var/lib/empty"))
	must(t, h.MakeDir("/var/lib/kubelet", 0o700))
	must(t, h.OwnTree("/var/lib/kubelet"))
	for _, dir := range []string{"/var/lib/none/yet", "/var/lib/empty", "/var/lib/kubelet"} {
		put(t, h, dir+"/a/b/c", "by a daemon", 0o000)
		must(t, os.Chmod(h.Path(dir+"/a"), 0o000))
		must(t, h.OwnTree(dir)) // again, no longer empty
	}
	must(t, h.UndoAll(t.Context(), nil))
	wantGone(t, h, "/var/lib/containers/ours")
	wantFile(t, h, "/var/lib/containers/theirs/db", "somebody's data", 0o600)
	wantFile(t, h, "/var/lib/containers/theirs/new", "theirs too", 0o600)
	wantGone(t, h, "/var/lib/none/yet")
	wantGone(t, h, "/var/lib/kubelet")
	names, err := os.ReadDir(h.Path("/var/lib/empty"))
	must(t, err)
	if len(names) != 0 {
		t.Fatalf("left: %v", names)
	}
}

// TestOwnFile: what a daemon wrote goes, with the directory that was made for it; what was there stays.
func TestOwnFile(t *testing.T) {
	h, _ := hosttest.New(t)
	put(t, h, "/etc/theirs.conf", "somebody's", 0o644)
	for range 2 {
		must(t, h.OwnFile("/etc/theirs.conf"))
		must(t, h.OwnFile("/etc/made.d/ours.conf"))
		must(t, h.OwnFile("/etc/made.d/never.conf"))
		put(t, h, "/etc/made.d/ours.conf", "a daemon's", 0o644)
	}
	must(t, h.UndoAll(t.Context(), nil))
	wantFile(t, h, "/etc/theirs.conf", "somebody's", 0o644)
	wantGone(t, h, "/etc/made.d")
}

func TestTreeKeepsOutOfLinks(t *testing.T) {
	h, _ := hosttest.New(t)
	put(t, h, "/canary/file", "canary", 0o600)
	must(t, h.OwnTree("/srv/tree"))
	must(t, h.MakeDir("/srv/tree/sub", 0o700))
	must(t, os.Symlink("/canary", h.Path("/srv/tree/dir")))
	must(t, os.Symlink(h.Path("/canary/file"), h.Path("/srv/tree/sub/file")))
	must(t, os.Link(h.Path("/canary/file"), h.Path("/srv/tree/hard")))
	must(t, h.UndoAll(t.Context(), nil))
	wantGone(t, h, "/srv/tree")
	wantFile(t, h, "/canary/file", "canary", 0o600)
}

func TestTreeKeepsOutOfMounts(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	h, _ := hosttest.New(t)
	must(t, h.OwnTree("/srv/tree"))
	must(t, h.MakeDir("/srv/tree", 0o700))
	mounts := map[string]string{"tmpfs": "/srv/tree/a/tmp fs\n", "bind": "/srv/tree/b/bind", "file": "/srv/tree/c/file"}
	put(t, h, "/canary/file", "canary", 0o600)
	for _, path := range mounts {
		put(t, h, path+".sibling", "goes", 0o600)
	}
	must(t, os.Mkdir(h.Path(mounts["tmpfs"]), 0o700))
	must(t, os.Mkdir(h.Path(mounts["bind"]), 0o700))
	put(t, h, mounts["file"], "below", 0o600)
	mount(t, "tmpfs", h.Path(mounts["tmpfs"]), "tmpfs", 0)
	put(t, h, mounts["tmpfs"]+"/file", "canary", 0o600)
	// A bind mount from the same file system has the same device: only the mount tells.
	mount(t, h.Path("/canary"), h.Path(mounts["bind"]), "", syscall.MS_BIND)
	mount(t, h.Path("/canary/file"), h.Path(mounts["file"]), "", syscall.MS_BIND)

	err := h.UndoAll(t.Context(), nil)
	for name, path := range mounts {
		if !strings.Contains(err.Error(), strings.ReplaceAll(path, "\n", `\n`)+`" is a mount point`) {
			t.Errorf("%s is not reported: %v", name, err)
		}
		wantGone(t, h, path+".sibling")
	}
	wantFile(t, h, "/canary/file", "canary", 0o600)
	wantFile(t, h, mounts["tmpfs"]+"/file", "canary", 0o600)

	for _, path := range mounts {
		must(t, exec.Command("umount", h.Path(path)).Run())
	}
	must(t, h.UndoAll(t.Context(), nil))
	wantGone(t, h, "/srv/tree")
	wantFile(t, h, "/canary/file", "canary", 0o600)
}

func TestTreeThatIsAMount(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	h, _ := hosttest.New(t)
	for _, dir := range []string{"/srv/before", "/srv/after"} {
		must(t, os.MkdirAll(h.Path(dir), 0o755))
	}
	mount(t, "tmpfs", h.Path("/srv/before"), "tmpfs", 0)
	must(t, h.OwnTree("/srv/before"))
	must(t, h.OwnTree("/srv/after"))
	mount(t, "tmpfs", h.Path("/srv/after"), "tmpfs", 0)
	put(t, h, "/srv/before/file", "ours", 0o600)
	put(t, h, "/srv/after/file", "canary", 0o600)

	got := wantObstacle(t, h.UndoAll(t.Context(), nil), "is a mount point")
	if got.Path != "/srv/after" {
		t.Fatalf("reported: %v", got)
	}
	wantFile(t, h, "/srv/after/file", "canary", 0o600)
	wantGone(t, h, "/srv/before/file")
}

func TestImmutableFileIsReported(t *testing.T) {
	h, _ := hosttest.New(t)
	must(t, h.OwnTree("/srv/tree"))
	put(t, h, "/srv/tree/file", "x", 0o600)
	put(t, h, "/srv/tree/sibling", "x", 0o600)
	if out, err := exec.Command("chattr", "+i", h.Path("/srv/tree/file")).CombinedOutput(); err != nil {
		t.Skipf("NOT RUN: chattr: %v %s", err, out)
	}
	clear := func() { _ = exec.Command("chattr", "-i", h.Path("/srv/tree/file")).Run() }
	t.Cleanup(clear)
	wantObstacle(t, h.UndoAll(t.Context(), nil), "is marked immutable")
	wantGone(t, h, "/srv/tree/sibling")
	clear()
	must(t, h.UndoAll(t.Context(), nil))
	wantGone(t, h, "/srv/tree")
}
