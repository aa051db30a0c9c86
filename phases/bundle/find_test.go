package bundle

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestFindOrder takes the places away one by one.
func TestFindOrder(t *testing.T) {
	root := t.TempDir()
	share := filepath.Join(root, "share")
	exe := filepath.Join(root, "bin", "bootstrap")
	beside := filepath.Join(root, "bin", fileName)
	shared := filepath.Join(share, fileName)
	plain := tinyProgram("amd64", true)
	data := newForgery().bytes()
	put(t, exe, boxBytes(plain, data))
	put(t, beside, data)
	put(t, shared, data)

	checkFound(t, exe, share, exe)
	put(t, exe, plain)
	checkFound(t, exe, share, beside)
	os.Remove(beside)
	checkFound(t, exe, share, shared)
	os.Remove(shared)
	if b, err := search(exe, share); b != nil || err != nil {
		t.Error(b, err)
	}
}

// TestFindDamaged: what is there but damaged is reported, not passed over.
func TestFindDamaged(t *testing.T) {
	root := t.TempDir()
	exe := filepath.Join(root, "bootstrap")
	data := newForgery().bytes()
	put(t, filepath.Join(root, "share", fileName), data)
	box := boxBytes(tinyProgram("amd64", true), data[:len(data)-1])
	put(t, exe, box)
	if _, err := search(exe, filepath.Join(root, "share")); err == nil {
		t.Error("passed over a damaged box")
	}
	put(t, exe, tinyProgram("amd64", true))
	put(t, filepath.Join(root, fileName), []byte("not a bundle"))
	if _, err := search(exe, filepath.Join(root, "share")); err == nil {
		t.Error("passed over a damaged bundle beside the executable")
	}
}

// TestFindCutShort: a copy that ended early has a program that runs, and half a bundle.
func TestFindCutShort(t *testing.T) {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	exe := filepath.Join(root, "bootstrap")
	box := boxBytes(program, newForgery().bytes())
	for _, lost := range []int{1, len(box) - len(program) - 8} {
		put(t, exe, box[:len(box)-lost])
		if _, err := search(exe, root); !errors.Is(err, errCutShort) {
			t.Errorf("without its last %d bytes: %v", lost, err)
		}
	}
	put(t, exe, program)
	if b, err := search(exe, root); b != nil || err != nil {
		t.Errorf("the program alone: %v, %v", b, err)
	}
}

func TestFindExplicit(t *testing.T) {
	path := writeFile(t, "mine.zst", newForgery().bytes())
	b, err := Find(path, "/nonexistent/bootstrap")
	if err != nil || b.Path() != path {
		t.Fatal(err)
	}
	b.Close()
	_, err = Find(path+".missing", "/nonexistent/bootstrap")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	_, err = Find(writeFile(t, "program", tinyProgram("amd64", true)), "")
	if err == nil {
		t.Errorf("not a bundle: %v", err)
	}
}

func checkFound(t *testing.T, exe, share, want string) {
	t.Helper()
	b, err := search(exe, share)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Path() != want {
		t.Errorf("found %s, not %s", b.Path(), want)
	}
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
}
