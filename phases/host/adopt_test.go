package host

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestAdoptOnAMount: what lies on a disk of its own is adopted and undone there.
func TestAdoptOnAMount(t *testing.T) {
	if !inNamespace(t, syscall.CLONE_NEWNS) {
		return
	}
	root := t.TempDir()
	disk := tmpfs(t, root, "var/lib/etcd")
	file := filepath.Join(disk, "member/wal")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := Open(root, Offline{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, target := range []string{"/var/lib/etcd/member", "/var/lib/etcd"} {
		if err := h.Adopt(OpTree, target); err != nil || !h.Recorded(target) {
			t.Fatalf("adopt %s: %v", target, err)
		}
	}
	if err := h.UndoAll(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(disk); err != nil || len(left) > 0 || !isMounted(t, disk) {
		t.Errorf("left on the disk: %v, %v", left, err)
	}
}

func isMounted(t *testing.T, path string) bool {
	t.Helper()
	mounts, err := readMounts()
	if err != nil {
		t.Fatal(err)
	}
	return len(mountCounts(mounts, []string{path})) == 1
}
