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

// Program reads a program out of an image in the store; its newest layer counts. A containerd that is configured to
// discard the layers that it has unpacked (discard_unpacked_layers) has none.
func (i *Images) Program(ctx context.Context, name, program string, sink func(io.Reader) error) error {
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
			return fmt.Errorf("a layer of %s: %w", name, err)
		}
		err = errors.Join(inLayer(content.NewReader(r), program, sink), r.Close())
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return fmt.Errorf("%s in %s: %w", program, name, fs.ErrNotExist)
}

func inLayer(packed io.Reader, program string, sink func(io.Reader) error) error {
	layer, err := compression.DecompressStream(packed)
	if err != nil {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	defer layer.Close()
	for files := tar.NewReader(layer); ; {
		header, err := files.Next()
		if err != nil {
			return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
		}
		if header.Name == "usr/local/bin/"+program && header.Typeflag == tar.TypeReg {
			return sink(files)
		}
	}
}
