package bundle

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

type tarFile struct {
	header *tar.Header
	data   []byte
}

func untar(t *testing.T, r io.Reader) map[string]tarFile {
	t.Helper()
	files := map[string]tarFile{}
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = tarFile{h, data}
	}
}

// layout is an image as a runtime's importer sees it.
type layout struct {
	t     *testing.T
	files map[string]tarFile
}

func builtImage(t *testing.T, source Source) layout {
	t.Helper()
	data, err := build(t, []Source{source})
	if err != nil {
		t.Fatal(err)
	}
	b := mustOpen(t, writeFile(t, fileName, data))
	archive, err := readEntry(b, b.Index().Entries[0])
	if err != nil {
		t.Fatal(err)
	}
	return layout{t, untar(t, bytes.NewReader(archive))}
}

func (l layout) blob(d v1.Descriptor) []byte {
	l.t.Helper()
	data := l.files["blobs/sha256/"+d.Digest.Encoded()].data
	if digest.FromBytes(data) != d.Digest || int64(len(data)) != d.Size {
		l.t.Fatalf("blob %v is missing or differs", d)
	}
	return data
}

func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestImage(t *testing.T) {
	source := testSources(t)[2]
	l := builtImage(t, source)
	if got := string(l.files["oci-layout"].data); got != `{"imageLayoutVersion":"1.0.0"}` {
		t.Error(got)
	}
	index := decode[v1.Index](t, l.files["index.json"].data)
	if len(index.Manifests) != 1 || len(l.files) != 5 {
		t.Fatalf("%d manifests in %d files", len(index.Manifests), len(l.files))
	}
	d := index.Manifests[0]
	names := map[string]string{
		"io.containerd.image.name":          "example.test/etcd:3.6.8-0",
		"org.opencontainers.image.ref.name": "3.6.8-0",
	}
	if diff := cmp.Diff(names, d.Annotations); diff != "" {
		t.Error(diff)
	}
	manifest := decode[v1.Manifest](t, l.blob(d))
	layer := unzstd(t, l.blob(manifest.Layers[0]))
	want := v1.Image{
		Platform: v1.Platform{Architecture: "amd64", OS: "linux"},
		Config: v1.ImageConfig{
			Env:        []string{"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/bin"},
			Entrypoint: []string{"/usr/local/bin/etcd"},
			WorkingDir: "/",
		},
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(layer)}},
	}
	if diff := cmp.Diff(want, decode[v1.Image](t, l.blob(manifest.Config))); diff != "" {
		t.Error(diff)
	}
	checkLayer(t, layer, source.File)
}

func unzstd(t *testing.T, packed []byte) []byte {
	t.Helper()
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	data, err := dec.DecodeAll(packed, nil)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func checkLayer(t *testing.T, layer []byte, program string) {
	t.Helper()
	files := untar(t, bytes.NewReader(layer))
	modes := map[string]int64{}
	for name, f := range files {
		modes[name] = f.header.Mode
		if f.header.Uid != 0 || f.header.Gid != 0 || f.header.ModTime.Unix() != 0 {
			t.Errorf("%s: %+v", name, f.header)
		}
	}
	want := map[string]int64{
		"etc/": 0o755, "tmp/": 0o1777, "usr/": 0o755, "usr/local/": 0o755, "usr/local/bin/": 0o755,
		"etc/passwd": 0o644, "etc/group": 0o644, "usr/local/bin/etcd": 0o755,
	}
	if diff := cmp.Diff(want, modes); diff != "" {
		t.Error(diff)
	}
	data, err := os.ReadFile(program)
	if err != nil || !bytes.Equal(files["usr/local/bin/etcd"].data, data) {
		t.Errorf("program differs, %v", err)
	}
}
