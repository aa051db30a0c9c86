package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var head = Index{Kubernetes: "v1.36.3", Arch: "amd64"}

// testSources are one of each kind that Build takes.
func testSources(t *testing.T) []Source {
	dir := t.TempDir()
	for name, static := range map[string]bool{"kubelet": false, "bridge": false, "etcd": true, "pause": true} {
		put(t, filepath.Join(dir, name), tinyProgram("amd64", static))
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	return []Source{
		{Kind: Binary, Name: "kubelet", Version: "v1.36.3", File: at("kubelet")},
		{Kind: CNI, Name: "bridge", Version: "v1.9.0", File: at("bridge")},
		{Kind: Image, Name: "example.test/etcd:3.6.8-0", Version: "v3.6.8", File: at("etcd")},
		{Kind: Image, Name: "example.test:5000/a/pause:3.10", Version: "v3.10", File: at("pause")},
	}
}

func build(t *testing.T, sources []Source) ([]byte, error) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	var buf bytes.Buffer
	err := Build(context.Background(), &buf, head, sources)
	if left, _ := os.ReadDir(os.TempDir()); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	return buf.Bytes(), err
}

func TestBuild(t *testing.T) {
	sources := testSources(t)
	data, err := build(t, sources)
	if err != nil {
		t.Fatal(err)
	}
	b := mustOpen(t, writeFile(t, fileName, data))
	if err := b.Verify(context.Background()); err != nil {
		t.Fatal(err)
	}
	for i, e := range b.Index().Entries {
		s := sources[i]
		if e.Kind != s.Kind || e.Name != s.Name || e.Version != s.Version {
			t.Errorf("%+v from %+v", e, s)
		}
		want, _ := os.ReadFile(s.File)
		got, err := readEntry(b, e)
		if err != nil || s.Kind != Image && !bytes.Equal(got, want) {
			t.Errorf("%s: content differs, %v", e.Path, err)
		}
	}
	again, err := build(t, sources)
	if err != nil || !bytes.Equal(data, again) {
		t.Errorf("the second build differs, %v", err)
	}
}

func TestBuildRefuses(t *testing.T) {
	other := writeFile(t, "runc", tinyProgram("arm64", true))
	text := writeFile(t, "runc", []byte("#!/bin/sh\n"))
	object := tinyProgram("amd64", true)
	object[16] = 1 // an object file
	cases := []struct {
		name, want string
		do         func([]Source) []Source
	}{
		{"other architecture", "not for amd64", func(s []Source) []Source { s[0].File = other; return s }},
		{"script", "not a program", func(s []Source) []Source { s[0].File = text; return s }},
		{"object file", "not a program", func(s []Source) []Source { s[0].File = writeFile(t, "o", object); return s }},
		{"image of a dynamic program", "not a static", func(s []Source) []Source { s[2].File = s[0].File; return s }},
		{"missing file", "no such file", func(s []Source) []Source { s[1].File += "x"; return s }},
		{"folder", "is a directory", func(s []Source) []Source { s[1].File = t.TempDir(); return s }},
		{"same name twice", "twice", func(s []Source) []Source { return append(s, s[0]) }},
		{"bad name", "unusable name", func(s []Source) []Source { s[0].Name = "../kubelet"; return s }},
		{"bad version", "unusable version", func(s []Source) []Source { s[0].Version = ""; return s }},
		{"unknown kind", "unknown kind", func(s []Source) []Source { s[0].Kind = "script"; return s }},
		{"nothing", "no entries", func([]Source) []Source { return nil }},
		{"full of zeros", "200 times", func(s []Source) []Source {
			s[0].File = writeFile(t, "z", append(tinyProgram("amd64", true), make([]byte, 4<<20)...))
			return s
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			data, err := build(t, c.do(testSources(t)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
			if len(data) > 0 {
				t.Errorf("wrote %d bytes", len(data))
			}
		})
	}
}

func TestBuildCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var buf bytes.Buffer
	err := Build(ctx, &buf, head, testSources(t))
	if !errors.Is(err, context.Canceled) || buf.Len() > 0 {
		t.Errorf("%d bytes, %v", buf.Len(), err)
	}
}

func TestBuildFullDisk(t *testing.T) {
	full := errors.New("disk full")
	err := Build(context.Background(), failingWriter{full}, head, testSources(t))
	if !errors.Is(err, full) {
		t.Error(err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// TestTarHeader fixes the format: a header that changes would make all bundles unreadable.
func TestTarHeader(t *testing.T) {
	got, err := tarHeader(kubelet, 0o1234)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, tarBlock)
	for off, value := range map[int]string{
		offName: kubelet, offMode: "0000644", offUID: "0000000", offGID: "0000000",
		offSize: "00000001234", offMtime: "00000000000", offType: string(tar.TypeReg),
		offMagic: "ustar\x0000", offMajor: "0000000", offMajor + 8: "0000000",
	} {
		copy(want[off:], value)
	}
	if !bytes.Equal(got, mendChecksum(want)) {
		t.Errorf("%q", got)
	}
}
