package host

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMountOfOlderKernel: what /proc tells of mounts is what newer kernels tell by themselves.
func TestMountOfOlderKernel(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, at := range [][2]string{
		{"/", "proc"}, {"/", "etc"}, {"/proc", ""}, {"/proc", "sys"}, {"/etc", ""}, {"/dev", "pts"}, {"/proc/self", "exe"}, {filepath.Dir(file), "file"},
	} {
		dir, err := os.Open(at[0])
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		want, err := mountOf(dir, at[1])
		if err != nil {
			t.Fatal(err)
		}
		got := want
		got.id, got.root = 0, false
		if err := got.askProc(dir, at[1]); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", at, got, err, want)
		}
	}
}
