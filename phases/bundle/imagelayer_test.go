package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

// treeSource is an image of two programs and a tree.
func treeSource(t *testing.T) Source {
	t.Helper()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	put(t, at("agent"), tinyProgram("amd64", true))
	put(t, at("helper"), tinyProgram("amd64", true))
	put(t, at("tree/usr/bin/nft"), []byte("dynamic"))
	put(t, at("tree/usr/share/readme"), []byte("text"))
	for name, mode := range map[string]os.FileMode{"tree/usr/bin/nft": 0o700, "tree/usr/share/readme": 0o600} {
		if err := os.Chmod(at(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../bin/nft", at("tree/usr/share/link")); err != nil {
		t.Fatal(err)
	}
	return Source{Kind: Image, Name: "example.test/agent:v1", Version: "v1", File: at("agent"), More: []string{at("helper")}, Tree: at("tree")}
}

func TestImageOfSeveralFiles(t *testing.T) {
	source := treeSource(t)
	l := builtImage(t, source)
	manifest := decode[v1.Manifest](t, l.blob(decode[v1.Index](t, l.files["index.json"].data).Manifests[0]))
	got := map[string]string{}
	for name, f := range untar(t, bytes.NewReader(unzstd(t, l.blob(manifest.Layers[0])))) {
		got[name] = fmt.Sprintf("%#o %s", f.header.Mode, f.header.Linkname)
		if f.header.Uid != 0 || f.header.ModTime.Unix() != 0 {
			t.Errorf("%s: %+v", name, f.header)
		}
	}
	want := map[string]string{
		"etc/": "0755 ", "etc/group": "0644 ", "etc/passwd": "0644 ", "tmp/": "01777 ", "usr/": "0755 ", "usr/local/": "0755 ",
		"usr/local/bin/": "0755 ", "usr/local/bin/agent": "0755 ", "usr/local/bin/helper": "0755 ",
		"usr/bin/": "0755 ", "usr/bin/nft": "0755 ", "usr/share/": "0755 ", "usr/share/readme": "0644 ", "usr/share/link": "0777 ../bin/nft",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var config v1.Image
	if err := json.Unmarshal(l.blob(manifest.Config), &config); err != nil || !cmp.Equal([]string{"/usr/local/bin/agent"}, config.Config.Entrypoint) {
		t.Errorf("%v, %v", config.Config.Entrypoint, err)
	}
	again := builtImage(t, source)
	if diff := cmp.Diff(l.files["index.json"].data, again.files["index.json"].data); diff != "" {
		t.Errorf("the second build differs: %s", diff)
	}
}

func TestImageOfSeveralFilesRefuses(t *testing.T) {
	add := func(name string) func(*testing.T, *Source) {
		return func(t *testing.T, s *Source) { put(t, filepath.Join(s.Tree, name), []byte("x")) }
	}
	cases := []struct {
		name, want string
		do         func(*testing.T, *Source)
	}{
		{"pipe", "neither a file", func(t *testing.T, s *Source) {
			if err := unix.Mkfifo(filepath.Join(s.Tree, "pipe"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"file of ours", "two files would lie at /etc/passwd", add("etc/passwd")},
		{"file for a folder", "two files would lie at /tmp", add("tmp")},
		{"same program twice", "two files would lie at /usr/local/bin/agent", func(_ *testing.T, s *Source) { s.More = []string{s.File} }},
		{"dynamic program", "helper: not a program", func(t *testing.T, s *Source) { put(t, s.More[0], []byte("#!/bin/sh\n")) }},
		{"long name", "cannot encode", add(strings.Repeat("x", 200))},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			source := treeSource(t)
			c.do(t, &source)
			data, err := build(t, []Source{source})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
			if len(data) > 0 {
				t.Errorf("wrote %d bytes", len(data))
			}
		})
	}
}
