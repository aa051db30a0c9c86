package runtime

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/pkg/archive/compression"
)

// Program reads a program out of an image, such as usr/local/bin/etcd; its newest layer counts.
func (i *Images) Program(ctx context.Context, name, file string, sink func(io.Reader) error) error {
	full, err := fullName(name)
	if err != nil {
		return err
	}
	image, err := i.client.GetImage(ctx, full)
	if err != nil {
		return err
	}
	store := i.client.ContentStore()
	manifest, err := images.Manifest(ctx, store, image.Target(), image.Platform())
	if err != nil {
		return err
	}
	for _, layer := range slices.Backward(manifest.Layers) {
		r, err := store.ReaderAt(ctx, layer)
		if err != nil {
			return err
		}
		err = errors.Join(inLayer(content.NewReader(r), file, sink), r.Close())
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return fmt.Errorf("%s in %s: %w", file, name, fs.ErrNotExist)
}

// ProgramIn is Program for an image that no runtime has yet: its OCI layout, as a tar.
func ProgramIn(image io.Reader, file string, sink func(io.Reader) error) error {
	for blobs := tar.NewReader(image); ; {
		if _, err := blobs.Next(); err != nil {
			return fmt.Errorf("%s in the image: %w", file, fs.ErrNotExist)
		}
		if err := inLayer(blobs, file, sink); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}

func inLayer(packed io.Reader, file string, sink func(io.Reader) error) error {
	layer, err := compression.DecompressStream(packed)
	if err != nil {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	defer layer.Close()
	for files := tar.NewReader(layer); ; {
		header, err := files.Next()
		if err != nil { // also of a blob that is no layer
			return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
		}
		if header.Name == file && header.Typeflag == tar.TypeReg {
			return sink(files)
		}
	}
}
