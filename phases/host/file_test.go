package host_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
)

func inode(t *testing.T, h *host.Host, path string) uint64 {
	t.Helper()
	info, err := os.Lstat(h.Path(path))
	must(t, err)
	return info.Sys().(*syscall.Stat_t).Ino
}

func TestWriteFile(t *testing.T) {
	h, _ := hosttest.New(t)
	changed(t, true)(h.WriteFile("/etc/kubernetes/admin.conf", []byte("one"), 0o600))
	wantFile(t, h, "/etc/kubernetes/admin.conf", "one", 0o600)
	before, records := inode(t, h, "/etc/kubernetes/admin.conf"), len(h.Entries())

	changed(t, false)(h.WriteFile("/etc/kubernetes/admin.conf", []byte("one"), 0o600))
	if inode(t, h, "/etc/kubernetes/admin.conf") != before || len(h.Entries()) != records {
		t.Fatal("equal content was written again")
	}

	must(t, os.Chmod(h.Path("/etc/kubernetes/admin.conf"), 0o644))
	changed(t, true)(h.WriteFile("/etc/kubernetes/admin.conf", []byte("one"), 0o600))
	wantFile(t, h, "/etc/kubernetes/admin.conf", "one", 0o600)
	if inode(t, h, "/etc/kubernetes/admin.conf") != before {
		t.Fatal("a wrong mode was mended by writing again")
	}

	changed(t, true)(h.WriteFile("/etc/kubernetes/admin.conf", []byte("two"), 0o600))
	wantFile(t, h, "/etc/kubernetes/admin.conf", "two", 0o600)
	if inode(t, h, "/etc/kubernetes/admin.conf") == before {
		t.Fatal("the file was written in place")
	}
}

func TestWriteFileIgnoresUmask(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	h, _ := hosttest.New(t)
	changed(t, true)(h.WriteFile("/opt/cni/bin/bridge", []byte("x"), 0o755))
	wantFile(t, h, "/opt/cni/bin/bridge", "x", 0o755)
	info, err := os.Stat(h.Path("/opt/cni"))
	must(t, err)
	if info.Mode().Perm() != 0o755 {
		t.Fatalf("parent has mode %s", info.Mode())
	}
}

// TestForeignOwner: what belongs to others than root is no place for our files.
func TestForeignOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT RUN: chown needs root")
	}
	h, _ := hosttest.New(t)
	put(t, h, "/etc/x", "one", 0o600)
	put(t, h, "/etc/dir/x", "one", 0o600)
	must(t, os.Chown(h.Path("/etc/x"), 1234, 1234))
	must(t, os.Chown(h.Path("/etc/dir"), 1234, 1234))
	before := snapshot(t, h.Path("/"))
	for _, path := range []string{"/etc/x", "/etc/dir/x", "/etc/dir/new", "/etc/dir/sub/new"} {
		_, err := h.WriteFile(path, []byte("two"), 0o600)
		wantObstacle(t, err, "belongs to user 1234")
	}
	if after := snapshot(t, h.Path("/")); after != before {
		t.Fatalf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestWriteFileMendsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT RUN: chown needs root")
	}
	h, _ := hosttest.New(t)
	before := snapshot(t, h.Path("/"))
	changed(t, true)(h.WriteFile("/etc/x", []byte("one"), 0o600))
	must(t, os.Chown(h.Path("/etc/x"), 1234, 1234))
	changed(t, true)(h.WriteFile("/etc/x", []byte("one"), 0o600))
	info, err := os.Stat(h.Path("/etc/x"))
	must(t, err)
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 0 {
		t.Fatalf("owner is %d", uid)
	}
	must(t, h.UndoAll(t.Context(), nil))
	if after := snapshot(t, h.Path("/")); after != before {
		t.Fatalf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestNothingIsWrittenBeforeTheFirstEffect(t *testing.T) {
	root := t.TempDir()
	h, _ := hosttest.Open(t, root)
	changed(t, false)(h.Remove("/etc/none"))
	must(t, h.Reload(t.Context()))
	must(t, h.Close())
	names, err := os.ReadDir(root)
	must(t, err)
	if len(names) != 0 {
		t.Fatalf("left: %v", names)
	}
}

func TestPlantedLinks(t *testing.T) {
	cases := map[string]struct {
		link, target string // relative to the root
		owner        int
		dirMode      os.FileMode // of the directory that holds the link
		ours         string      // a directory made by us first
	}{
		"leaf":                    {link: "/etc/x/file", target: "/canary/file", dirMode: 0o755},
		"dangling leaf":           {link: "/etc/x/file", target: "/canary/none", dirMode: 0o755},
		"middle, of another user": {link: "/etc/x", target: "/canary", owner: 1234, dirMode: 0o755},
		"middle, open directory":  {link: "/etc/x", target: "/canary", dirMode: 0o777},
		"middle, group may write": {link: "/etc/x", target: "/canary", dirMode: 0o775},
		"middle, sticky":          {link: "/etc/x", target: "/canary", dirMode: 0o777 | os.ModeSticky},
		"middle, below ours":      {link: "/etc/x", target: "/canary", dirMode: 0o755, ours: "/etc"},
		"loop":                    {link: "/etc/x", target: "/etc/x", dirMode: 0o755},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h, _ := hosttest.New(t)
			if c.ours != "" {
				must(t, h.MakeDir(c.ours, 0o755))
			}
			put(t, h, "/canary/file", "canary", 0o644)
			must(t, os.MkdirAll(filepath.Dir(h.Path(c.link)), 0o755))
			must(t, os.Symlink(c.target, h.Path(c.link)))
			must(t, os.Lchown(h.Path(c.link), c.owner, c.owner))
			must(t, os.Chmod(filepath.Dir(h.Path(c.link)), c.dirMode))

			_, err := h.WriteFile("/etc/x/file", []byte("evil"), 0o600)
			if got := wantObstacle(t, err, "symbolic link"); got.Path != c.link {
				t.Errorf("names %s, want %s", got.Path, c.link)
			}
			_, err = h.Remove("/etc/x/file")
			wantObstacle(t, err, "symbolic link")
			wantFile(t, h, "/canary/file", "canary", 0o644)
			wantGone(t, h, "/canary/none")
		})
	}
}

func TestSystemLinksAreFollowed(t *testing.T) {
	for name, target := range map[string]string{"absolute": "/run", "relative": "../run", "dots": ".././var/./../run"} {
		t.Run(name, func(t *testing.T) {
			h, _ := hosttest.New(t)
			must(t, os.MkdirAll(h.Path("/run"), 0o755))
			must(t, os.MkdirAll(h.Path("/var"), 0o755))
			must(t, os.Symlink(target, h.Path("/var/run")))
			changed(t, true)(h.WriteFile("/var/run/x/file", []byte("x"), 0o600))
			wantFile(t, h, "/run/x/file", "x", 0o600)
			changed(t, false)(h.WriteFile("/run/x/file", []byte("x"), 0o600))
			data, err := h.ReadFile("/var/run/x/file")
			must(t, err)
			if string(data) != "x" {
				t.Fatalf("read %q", data)
			}
			changed(t, true)(h.Remove("/var/run/x/file"))
			wantGone(t, h, "/run/x/file")
		})
	}
}

func TestLinksDontLeaveTheRoot(t *testing.T) {
	outside := t.TempDir()
	h, _ := hosttest.New(t)
	must(t, os.MkdirAll(h.Path("/etc"), 0o755))
	must(t, os.Symlink(strings.Repeat("../", 30)+outside, h.Path("/etc/x")))
	changed(t, true)(h.WriteFile("/etc/x/file", []byte("x"), 0o600))
	wantFile(t, h, filepath.Join(outside, "file"), "x", 0o600) // inside of the root
	if _, err := os.Lstat(filepath.Join(outside, "file")); err == nil {
		t.Fatal("written outside of the root")
	}
}

func TestReadFileFollowsRootsLinks(t *testing.T) {
	h, _ := hosttest.New(t)
	put(t, h, "/run/systemd/resolve/stub-resolv.conf", "nameserver", 0o644)
	must(t, os.MkdirAll(h.Path("/etc"), 0o755))
	must(t, os.Symlink("../run/systemd/resolve/stub-resolv.conf", h.Path("/etc/resolv.conf")))
	data, err := h.ReadFile("/etc/resolv.conf")
	must(t, err)
	if string(data) != "nameserver" {
		t.Fatalf("read %q", data)
	}
	must(t, os.Lchown(h.Path("/etc/resolv.conf"), 1234, 1234))
	_, err = h.ReadFile("/etc/resolv.conf")
	wantObstacle(t, err, "symbolic link")
	_, err = h.ReadFile("/etc/none")
	if !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestWriteStream(t *testing.T) {
	h, _ := hosttest.New(t)
	sum := sha256.Sum256([]byte("new"))
	want := hex.EncodeToString(sum[:])
	put(t, h, "/usr/local/bin/kubelet", "old", 0o755)
	must(t, os.MkdirAll(h.Path("/var/lib"), 0o755))
	before := snapshot(t, h.Path("/"))

	for name, write := range map[string]func(io.Writer) error{
		"wrong content": func(w io.Writer) error { _, err := io.WriteString(w, "nwe"); return err },
		"short":         func(w io.Writer) error { _, err := io.WriteString(w, "ne"); return err },
		"error":         func(io.Writer) error { return errors.New("disk full") },
	} {
		if _, err := h.WriteStream("/usr/local/bin/kubelet", 0o755, want, write); err == nil {
			t.Fatalf("%s: no error", name)
		}
		if after := snapshot(t, h.Path("/")); after != before {
			t.Fatalf("%s: before:\n%s\nafter:\n%s", name, before, after)
		}
	}

	calls := 0
	write := func(w io.Writer) error { calls++; _, err := io.WriteString(w, "new"); return err }
	changed(t, true)(h.WriteStream("/usr/local/bin/kubelet", 0o755, want, write))
	wantFile(t, h, "/usr/local/bin/kubelet", "new", 0o755)
	changed(t, false)(h.WriteStream("/usr/local/bin/kubelet", 0o755, want, write))
	if calls != 1 {
		t.Fatalf("content was made %d times", calls)
	}
	must(t, h.UndoAll(t.Context(), nil))
	wantFile(t, h, "/usr/local/bin/kubelet", "old", 0o755)
}

func TestWriteFileRefuses(t *testing.T) {
	h, _ := hosttest.New(t)
	must(t, os.MkdirAll(h.Path("/etc/dir"), 0o755))
	must(t, syscall.Mkfifo(h.Path("/etc/fifo"), 0o600))
	put(t, h, "/etc/file", "x", 0o600)
	for _, path := range []string{"/", "/etc/dir", "/etc/fifo", "/etc/file/below"} {
		if _, err := h.WriteFile(path, nil, 0o600); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
	if _, err := h.ReadFile("/etc/fifo"); err == nil {
		t.Error("read a fifo")
	}
}
