package bundle

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestAttach(t *testing.T) {
	ctx := context.Background()
	program := tinyProgram("amd64", true)
	exe := writeFile(t, "bootstrap", program)
	b := openForgery(t, newForgery())
	out := filepath.Join(t.TempDir(), "box")
	if err := Attach(ctx, exe, b, out); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(out)
	if err != nil || info.Mode() != 0o755 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	box := mustOpen(t, out)
	if err := box.Verify(ctx); err != nil {
		t.Error(err)
	}
	want, _ := readEntry(b, b.index.Entries[3])
	got, err := readEntry(box, box.index.Entries[3])
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("content differs, %v", err)
	}
	data, _ := os.ReadFile(out)
	if !bytes.HasPrefix(data, program) {
		t.Error("the program is not as it was")
	}
	checkOnlyFile(t, out)
}

// TestAttachReplaces: onto a box, in place, from another box.
func TestAttachReplaces(t *testing.T) {
	ctx := context.Background()
	box := writeFile(t, "bootstrap", tinyProgram("amd64", true))
	small := newForgery()
	big := newForgery()
	big.add(Binary, "runc", 9000)
	if err := Attach(ctx, box, openForgery(t, big), box); err != nil {
		t.Fatal(err)
	}
	first, _ := os.ReadFile(box)
	if err := Attach(ctx, box, openForgery(t, small), box); err != nil {
		t.Fatal(err)
	}
	if n := len(mustOpen(t, box).index.Entries); n != len(small.parts) {
		t.Errorf("%d entries", n)
	}
	if err := Attach(ctx, box, openForgery(t, big), box); err != nil {
		t.Fatal(err)
	}
	again, _ := os.ReadFile(box)
	if !bytes.Equal(first, again) {
		t.Error("attaching the first bundle again does not give the first box")
	}
	if err := Attach(ctx, box, mustOpen(t, box), box); err != nil {
		t.Error(err)
	}
	checkOnlyFile(t, box)
}

func TestAttachRefuses(t *testing.T) {
	ctx := context.Background()
	good := openForgery(t, newForgery())
	f := newForgery()
	f.parts[0].padding[0] = 1
	bad := openForgery(t, f)
	program := tinyProgram("amd64", true)
	cases := []struct {
		name string
		exe  string
		b    *Bundle
	}{
		{"damaged bundle", writeFile(t, "x", program), bad},
		{"script", writeFile(t, "x", []byte("#!/bin/sh\necho a long enough script")), good},
		{"a bundle", good.Path(), good},
		{"empty", writeFile(t, "x", nil), good},
		{"missing", filepath.Join(t.TempDir(), "x"), good},
		{"folder", t.TempDir(), good},
		{"lying trailer", writeFile(t, "x", append(program, boxMagic+"\xff\xff\xff\xff\xff\xff\xff\xff"...)), good},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "box")
			if err := Attach(ctx, c.exe, c.b, out); err == nil {
				t.Error("accepted")
			}
			if left, _ := os.ReadDir(filepath.Dir(out)); len(left) > 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

func TestAttachCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	exe := writeFile(t, "bootstrap", tinyProgram("amd64", true))
	if err := Attach(ctx, exe, openForgery(t, newForgery()), exe); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	checkOnlyFile(t, exe)
}

func checkOnlyFile(t *testing.T, path string) {
	t.Helper()
	all, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
}

func mustOpen(t *testing.T, path string) *Bundle {
	t.Helper()
	b, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, pipe, "/dev/null"} {
		if _, err := Open(path); err == nil {
			t.Errorf("opened %s", path)
		}
	}
}

// TestFullDisk: what is there stays as it was, and nothing lies beside it, when the new file can't be written whole.
func TestFullDisk(t *testing.T) {
	out := writeFile(t, "box", []byte("old"))
	err := WriteWhole(out, 0o755, func(w io.Writer) error {
		_, err := io.WriteString(w, "new, and only its beginn")
		return errors.Join(err, syscall.ENOSPC)
	})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v", err)
	}
	if data, err := os.ReadFile(out); string(data) != "old" {
		t.Errorf("%q, %v", data, err)
	}
	checkOnlyFile(t, out)
}
