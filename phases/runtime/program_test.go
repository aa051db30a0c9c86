package runtime

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func tarWith(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestInLayer finds a program in a layer as bundles have it, and as registries do.
func TestInLayer(t *testing.T) {
	layer := tarWith(t, map[string]string{"usr/local/bin/etcd": "the program"})
	var zstdLayer, gzipLayer bytes.Buffer
	z, err := zstd.NewWriter(&zstdLayer)
	if err != nil {
		t.Fatal(err)
	}
	g := gzip.NewWriter(&gzipLayer)
	for _, w := range []io.WriteCloser{z, g} {
		if _, err := w.Write(layer); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for kind, packed := range map[string][]byte{"zstd": zstdLayer.Bytes(), "gzip": gzipLayer.Bytes(), "plain": layer} {
		var got []byte
		err := inLayer(bytes.NewReader(packed), "etcd", func(r io.Reader) (err error) {
			got, err = io.ReadAll(r)
			return err
		})
		if err != nil || string(got) != "the program" {
			t.Errorf("%s: %q, %v", kind, got, err)
		}
		none := func(io.Reader) error { return errors.New("it gives another") }
		if err := inLayer(bytes.NewReader(packed), "other", none); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
