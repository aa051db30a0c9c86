package bundle

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// ReadProgram streams a program out of an image of the bundle, such as usr/local/bin/etcd. As with Read, what sink
// got is to be trusted only when it has returned nil.
func (b *Bundle) ReadProgram(ctx context.Context, image Entry, file string, sink func(io.Reader) error) error {
	return b.Read(ctx, image, func(r io.Reader) error {
		blobs := tar.NewReader(r)
		for {
			if _, err := blobs.Next(); err != nil {
				return fmt.Errorf("%s in %s: %w", file, image.Name, fs.ErrNotExist)
			}
			blob := bufio.NewReader(blobs)
			if begin, _ := blob.Peek(len(zstdMagic)); string(begin) != zstdMagic {
				continue // no layer
			}
			layer, err := newDecoder(blob)
			if err != nil {
				return err
			}
			defer layer.Close()
			return inLayer(tar.NewReader(layer), file, sink)
		}
	})
}

func inLayer(files *tar.Reader, file string, sink func(io.Reader) error) error {
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: %w", file, fs.ErrNotExist)
		}
		if err != nil {
			return err
		}
		if header.Name == file {
			return sink(files)
		}
	}
}
