package host

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

func FuzzPickMounts(f *testing.F) {
	f.Add("21 30 0:20 / /a\\040b rw,relatime shared:7 - tmpfs x rw\n")
	f.Add("1 2 0:0 / /a/b rw - - - -\n2 1 0:0 / /a/b rw - - - -\n2 2 0:0 / /a rw - - - -\n")
	f.Fuzz(func(t *testing.T, text string) {
		mounts, err := mountinfo.GetMountsFromReader(strings.NewReader(text), nil)
		if err == nil {
			pickMounts(mounts, []string{"/a*/*"}, nil)
		}
	})
}

func TestMatchAny(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"/run/netns/cni-*", "/run/netns/cni-1", true},
		{"/run/netns/cni-*", "/run/netns/mine", false},
		{"/run/netns/cni-*", "/run/netns/cni-1/below", false},
		{"/p/*/volumes/*/*", "/p/u/volumes/kubernetes.io~secret/a b\n", true},
		{"/p/*/volumes/*/*", "/p/u/volumes/kubernetes.io~secret", false},
		{"/p/csi/*/*/globalmount", "/p/csi/driver/hash/globalmount", true},
		{"/p/csi/*/*/globalmount", "/p/csi/globalmount", false},
		{"/p/csi/*/*/globalmount", "/p/csi/driver/hash/globalmount/other", false},
		{"/p/*", "/p", false},
		{"/p/*", "/p/a/b/c", false},
		{"/p/*", "/pp/a", false},
		{"/p", "/", false},
	} {
		if got := matchAny([]string{c.pattern}, c.path); got != c.want {
			t.Errorf("%q and %q: %v", c.pattern, c.path, got)
		}
	}
}

// TestPickMounts: mounts are "id parent path"; ours are those below /o.
func TestPickMounts(t *testing.T) {
	for _, c := range []struct {
		name   string
		mounts []string
		before map[string]int
		want   string
		held   string
	}{
		{
			name:   "newest first, and those below before those above",
			mounts: []string{"2 1 /o/a", "3 1 /o/b", "4 2 /o/a/c", "5 1 /else"},
			want:   "4 3 2",
		}, {
			name:   "an overmount before what it is over",
			mounts: []string{"2 1 /o/a", "3 2 /o/a", "4 3 /o/a"},
			want:   "4 3 2",
		}, {
			name:   "a mount of before stays under one of ours",
			mounts: []string{"2 1 /o/a", "3 2 /o/a"},
			before: map[string]int{"/o/a": 1},
			want:   "3",
		}, {
			name:   "a mount of before below one of ours holds it",
			mounts: []string{"2 1 /o/a", "3 2 /o/a/b", "4 3 /o/a/b/c"},
			before: map[string]int{"/o/a/b": 1},
			want:   "4",
			held:   `"/o/a" stays mounted: something else is mounted below, at "/o/a/b"`,
		}, {
			name:   "a mount of others below ours holds all above it",
			mounts: []string{"2 1 /o/a", "3 2 /o/a/b", "4 3 /o/a/b/x/foreign", "5 1 /o/c"},
			want:   "5",
			held: `"/o/a/b" stays mounted: something else is mounted below, at "/o/a/b/x/foreign"` +
				`; "/o/a" stays mounted: something else is mounted below, at "/o/a/b/x/foreign"`,
		}, {
			name:   "a mount of others over a directory above hides ours",
			mounts: []string{"2 1 /o/a", "3 1 /o"},
			held:   `"/o/a" stays mounted: it is covered by the mount at "/o"`,
		}, {
			name:   "hidden together with the mount it is on",
			mounts: []string{"2 1 /o", "3 2 /o/a", "4 1 /o"},
			held:   `"/o/a" stays mounted: it is covered by the mount at "/o"`,
		}, {
			name:   "ours over ours hides nothing once it is gone",
			mounts: []string{"2 1 /o/a/b", "3 1 /o/a"},
			want:   "3 2",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			mounts := []*mountinfo.Info{{ID: 1, Mountpoint: "/"}}
			for _, line := range c.mounts {
				var m mountinfo.Info
				if _, err := fmt.Sscan(line, &m.ID, &m.Parent, &m.Mountpoint); err != nil {
					t.Fatal(err)
				}
				mounts = append(mounts, &m)
			}
			gone, held := pickMounts(mounts, []string{"/o/*", "/o/*/*", "/o/*/*/*"}, c.before)
			var ids, why []string
			for _, m := range gone {
				ids = append(ids, fmt.Sprint(m.ID))
			}
			for _, h := range held {
				why = append(why, h.Error())
			}
			if got := strings.Join(ids, " "); got != c.want {
				t.Errorf("picked %q, want %q", got, c.want)
			}
			if got := strings.Join(why, "; "); got != c.held {
				t.Errorf("held: %s\nwant: %s", got, c.held)
			}
		})
	}
}

// tmpfs mounts one at path, below dir.
func tmpfs(t *testing.T, elements ...string) string {
	t.Helper()
	path := filepath.Join(elements...)
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", path, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) })
	return path
}

func mountsBelow(t *testing.T, dir string) []string {
	t.Helper()
	mounts, err := readMounts()
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, m := range mounts {
		if isAtOrBelow(m.Mountpoint, dir) {
			paths = append(paths, strings.TrimPrefix(m.Mountpoint, dir))
		}
	}
	return paths
}

func TestUnmountWhatDaemonsLeft(t *testing.T) {
	if !inNamespace(t, syscall.CLONE_NEWNS) {
		return
	}
	dir := t.TempDir()
	patterns := []string{dir + "/pods/*/volumes/*/*", dir + "/netns/cni-*"}
	old := tmpfs(t, dir, "pods/u/volumes/old/a")
	mounts, err := readMounts()
	if err != nil {
		t.Fatal(err)
	}
	before := mountCounts(mounts, patterns)

	tmpfs(t, old) // a daemon mounts over what was there
	tmpfs(t, dir, "pods/u/volumes/secret/with space\nand\\newline")
	tmpfs(t, dir, "pods/u/volumes/secret/twice")
	tmpfs(t, dir, "pods/u/volumes/secret/twice")
	tmpfs(t, dir, "netns/cni-1")
	tmpfs(t, dir, "netns/foreign")
	holder := tmpfs(t, dir, "pods/u/volumes/empty-dir/x")
	tmpfs(t, holder, "foreign")

	if mounts, err = readMounts(); err != nil {
		t.Fatal(err)
	}
	gone, held := pickMounts(mounts, patterns, before)
	for _, m := range gone {
		if err := unmount(t.Context(), m.Mountpoint, unix.Unmount); err != nil {
			t.Error(err)
		}
	}
	want := fmt.Sprintf("%q stays mounted: something else is mounted below, at %q", holder, holder+"/foreign")
	if len(held) != 1 || held[0].Error() != want {
		t.Errorf("held: %v", held)
	}
	stays := []string{"/pods/u/volumes/old/a", "/netns/foreign", "/pods/u/volumes/empty-dir/x", "/pods/u/volumes/empty-dir/x/foreign"}
	if diff := cmp.Diff(stays, mountsBelow(t, dir)); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
}

func TestUnmountAgainIsFine(t *testing.T) {
	if !inNamespace(t, syscall.CLONE_NEWNS) {
		return
	}
	path := tmpfs(t, t.TempDir(), "x")
	for range 2 {
		if err := unmount(t.Context(), path, unix.Unmount); err != nil {
			t.Error(err)
		}
	}
	if err := unmount(t.Context(), path+"/gone", unix.Unmount); err != nil {
		t.Error(err)
	}
}

// TestUnmountFollowsNoLink: one planted in place of a mount leads nowhere.
func TestUnmountFollowsNoLink(t *testing.T) {
	if !inNamespace(t, syscall.CLONE_NEWNS) {
		return
	}
	dir := t.TempDir()
	tmpfs(t, dir, "target")
	if err := os.Symlink("target", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	if err := unmount(t.Context(), dir+"/link", unix.Unmount); err != nil {
		t.Error(err)
	}
	if got := mountsBelow(t, dir); len(got) != 1 {
		t.Errorf("mounts are %q", got)
	}
}

func TestUnmountBusy(t *testing.T) {
	if !inNamespace(t, syscall.CLONE_NEWNS) {
		return
	}
	path := tmpfs(t, t.TempDir(), "busy")
	cmd := exec.Command("sleep", "60")
	cmd.Dir = path
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := func() { cmd.Process.Kill(); cmd.Wait() }
	t.Cleanup(end)
	err := unmount(t.Context(), path, unix.Unmount)
	busy := (*ObstacleError)(nil)
	want := fmt.Sprintf("%q stays mounted: it is in use by pid %d (sleep)", path, cmd.Process.Pid)
	if !errors.As(err, &busy) || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	end()
	if err := unmount(t.Context(), path, unix.Unmount); err != nil {
		t.Error(err)
	}
}

// TestUnmountOfDeadServer: the kernel waits for an answer that never comes.
func TestUnmountOfDeadServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		err := unmount(t.Context(), "/mnt/nfs", func(string, int) error { <-answer; return nil })
		if err == nil || !strings.Contains(err.Error(), "server is gone") {
			t.Errorf("error is %v", err)
		}
		close(answer)
	})
}

// TestResolvePatterns: a folder of ours may be a link to another disk.
func TestResolvePatterns(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "disk"), 0o755), os.Symlink("disk", filepath.Join(dir, "kubelet"))); err != nil {
		t.Fatal(err)
	}
	got := resolvePatterns([]string{dir + "/kubelet/pods/*/volumes/*", dir + "/disk/x/**/y", "/run/netns/cni-*"})
	if diff := cmp.Diff([]string{dir + "/disk/pods/*/volumes/*", dir + "/disk/x/**/y", "/run/netns/cni-*"}, got); diff != "" {
		t.Error(diff)
	}
}
