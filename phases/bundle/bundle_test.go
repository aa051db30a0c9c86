package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

func openForgery(t *testing.T, f *forgery) *Bundle {
	t.Helper()
	b, err := Open(writeFile(t, fileName, f.bytes()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func readEntry(b *Bundle, e Entry) ([]byte, error) {
	var data []byte
	err := b.Read(context.Background(), e, func(r io.Reader) (err error) {
		data, err = io.ReadAll(r)
		return err
	})
	return data, err
}

func TestLookups(t *testing.T) {
	f := newForgery()
	b := openForgery(t, f)
	if diff := cmp.Diff(f.index, b.Index()); diff != "" {
		t.Error(diff)
	}
	if e, ok := b.Entry(Binary, "kubelet"); !ok || e.Path != kubelet {
		t.Errorf("kubelet: %v %v", e, ok)
	}
	if e, ok := b.Entry(Image, "example.test/etcd:3.6.8-0"); !ok || e.Path != "images/etcd.tar" {
		t.Errorf("etcd: %v %v", e, ok)
	}
	if _, ok := b.Entry(Image, "example.test/etcd:other"); ok {
		t.Error("found an image of another tag")
	}
	if n := len(b.Entries(Binary)); n != 2 {
		t.Errorf("%d binaries", n)
	}
}

func TestCheckArch(t *testing.T) {
	i := Index{Arch: "amd64"}
	if err := i.Check("amd64"); err != nil {
		t.Error(err)
	}
	if err := i.Check("arm64"); err == nil {
		t.Error("a bundle of another architecture is accepted")
	}
}

// TestPlainTar: the whole file, decoded as one stream, is a tar as any tool reads it.
func TestPlainTar(t *testing.T) {
	f := newForgery()
	dec, err := zstd.NewReader(bytes.NewReader(f.bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	archive := tar.NewReader(dec)
	want := append([]string{indexName}, kubelet, "bin/kubectl", "cni/bridge", "images/etcd.tar")
	for i, name := range want {
		h, err := archive.Next()
		if err != nil || h.Name != name || h.Mode != 0o644 || h.ModTime.Unix() != 0 {
			t.Fatalf("%s: %+v, %v", name, h, err)
		}
		data, err := io.ReadAll(archive)
		if err != nil || i > 0 && !bytes.Equal(data, f.parts[i-1].content) {
			t.Errorf("%s: content differs, %v", name, err)
		}
	}
	if _, err := archive.Next(); err != io.EOF {
		t.Error(err)
	}
	if rest, err := io.ReadAll(dec); err != nil || len(rest) > 0 {
		t.Errorf("%d bytes behind the tar, %v", len(rest), err)
	}
}

// TestIntact: one byte of any entry that is not what was built is found, and named.
func TestIntact(t *testing.T) {
	b := openForgery(t, newForgery())
	if err := b.Intact(t.Context(), b.index.Entries); err != nil {
		t.Fatal(err)
	}
	for i, e := range b.index.Entries {
		at := b.offsets[i] + e.Packed - 1
		spoil(t, b, at)
		if err := b.Intact(t.Context(), b.index.Entries); blamed(t, err) != e.Path {
			t.Errorf("%s: %v", e.Path, err)
		}
		spoil(t, b, at)
	}
	if err := b.Intact(t.Context(), b.index.Entries); err != nil {
		t.Errorf("mended: %v", err)
	}
}

// TestReadDamaged: the file spoils after Verify; no reader sees a clean end.
func TestReadDamaged(t *testing.T) {
	f := newForgery()
	b := openForgery(t, f)
	e, _ := b.Entry(Image, "example.test/etcd:3.6.8-0")
	if err := b.Verify(context.Background()); err != nil {
		t.Fatal(err)
	}
	spoil(t, b, b.offsets[3]+e.Packed-20)
	ended := error(nil)
	err := b.Read(context.Background(), e, func(r io.Reader) error {
		_, ended = io.Copy(io.Discard, r)
		return nil // a careless sink
	})
	if blamed(t, err) != e.Path {
		t.Errorf("read: %v", err)
	}
	if ended == nil {
		t.Error("the sink saw a clean end")
	}
}

func spoil(t *testing.T, b *Bundle, off int64) {
	t.Helper()
	f, err := os.OpenFile(b.Path(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	one := make([]byte, 1)
	if _, err := f.ReadAt(one, off); err != nil {
		t.Fatal(err)
	}
	one[0] ^= 0xff
	if _, err := f.WriteAt(one, off); err != nil {
		t.Fatal(err)
	}
}

func TestReadTruncatedWhileOpen(t *testing.T) {
	b := openForgery(t, newForgery())
	e, _ := b.Entry(Image, "example.test/etcd:3.6.8-0")
	if err := os.Truncate(b.Path(), b.offsets[3]+e.Packed/2); err != nil {
		t.Fatal(err)
	}
	if _, err := readEntry(b, e); blamed(t, err) != e.Path {
		t.Error(err)
	}
}

func TestReadUnknownEntry(t *testing.T) {
	b := openForgery(t, newForgery())
	e, _ := b.Entry(Binary, "kubelet")
	e.Size++ // not this bundle's any more
	if _, err := readEntry(b, e); err == nil {
		t.Error("read an entry that the index doesn't have")
	}
}

// TestReadSink: what the sink does decides only if the content is good.
func TestReadSink(t *testing.T) {
	ctx := context.Background()
	b := openForgery(t, newForgery())
	e, _ := b.Entry(CNI, "bridge")
	full := errors.New("disk full")
	err := b.Read(ctx, e, func(io.Reader) error { return full })
	if !errors.Is(err, full) {
		t.Errorf("sink's error: %v", err)
	}
	var kept io.Reader
	err = b.Read(ctx, e, func(r io.Reader) error { kept = r; return nil })
	if err != nil {
		t.Errorf("sink that reads nothing: %v", err)
	}
	if n, err := kept.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("reader lives on: %d, %v", n, err)
	}
	spoil(t, b, b.offsets[2]+10)
	err = b.Read(ctx, e, func(io.Reader) error { return nil })
	if err == nil {
		t.Error("sink that reads nothing hides the damage")
	}
}

func TestCancel(t *testing.T) {
	b := openForgery(t, newForgery())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Verify(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("verify: %v", err)
	}
	err := b.Read(ctx, b.index.Entries[0], func(io.Reader) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v", err)
	}
}

// TestParallelError: the earliest job's error is the one returned, even if a later job
// was faster, and nothing begins after one.
func TestParallelError(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	first, second, failed := errors.New("first"), errors.New("second"), make(chan struct{})
	err := parallel(context.Background(), 4, func(i int) error {
		switch i {
		case 0:
			<-failed
			return first
		case 1:
			defer close(failed)
			return second
		}
		t.Errorf("job %d has begun", i)
		return nil
	})
	if !errors.Is(err, first) {
		t.Error(err)
	}
}
