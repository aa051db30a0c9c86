package bundle

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
)

// Source says what becomes one entry of a bundle.
type Source struct {
	Kind    Kind
	Name    string // kubelet; for an image its full reference
	Version string
	File    string // a program, or objects; for an image the program that it starts

	// Of images only.
	More []string // further programs
	Tree string   // a folder whose content lies at the image's root
}

// Build writes a bundle of the sources, in their order. The head gives Kubernetes and
// Arch. Programs must be ELF of that architecture, and static for images. Same input, same
// bytes. The bundle is made in memory as a whole.
func Build(ctx context.Context, w io.Writer, head Index, sources []Source) error {
	head.Schema, head.Entries = Schema, make([]Entry, len(sources))
	frames := make([][]byte, len(sources))
	err := parallel(ctx, len(sources), func(i int) (err error) {
		head.Entries[i], frames[i], err = sources[i].pack(head.Arch)
		if err != nil {
			return fmt.Errorf("%s %s: %w", sources[i].Kind, sources[i].Name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := head.validate(); err != nil {
		return err
	}
	return writeAll(w, head, frames)
}

// pack makes the frame of a source, and its entry in the index.
func (s Source) pack(arch string) (Entry, []byte, error) {
	content, err := s.content(arch)
	if err != nil {
		return Entry{}, nil, err
	}
	path, _ := pathOf(s.Kind, s.Name) // Build validates the name with all else
	plain, err := member(path, content)
	if err != nil {
		return Entry{}, nil, err
	}
	reach := window
	if s.Kind == Image {
		reach = packedWindow
	}
	frame, err := compress(plain, reach)
	return Entry{
		Path: path, Kind: s.Kind, Name: s.Name, Version: s.Version,
		Size: int64(len(content)), SHA256: digest.FromBytes(content).Encoded(),
		Packed: int64(len(frame)), PackedSHA256: digest.FromBytes(frame).Encoded(),
	}, frame, err
}

func (s Source) content(arch string) ([]byte, error) {
	switch s.Kind {
	case Image:
		return imageTar(s, arch)
	case Objects:
		return os.ReadFile(s.File)
	}
	return readProgram(s.File, arch, false)
}

func writeAll(w io.Writer, index Index, frames [][]byte) error {
	first, err := indexMember(index)
	if err != nil {
		return err
	}
	head, err := compress(first, window)
	if err != nil {
		return err
	}
	frames = append([][]byte{head}, frames...)
	for _, frame := range append(frames, []byte(tarEnd)) {
		if _, err := w.Write(frame); err != nil {
			return err
		}
	}
	return nil
}
