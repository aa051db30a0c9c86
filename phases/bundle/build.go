package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
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

func (s Source) programs() []string { return append([]string{s.File}, s.More...) }

// Build writes a bundle of the sources, in their order. The head gives Kubernetes and
// Arch; the whole index is returned. Programs must be ELF of that architecture, and
// static for images. Same input, same bytes. Packed members wait in nameless files in
// the temporary directory, which needs room for the whole bundle.
func Build(ctx context.Context, w io.Writer, head Index, sources []Source) (Index, error) {
	head.Schema, head.Entries = Schema, nil
	for _, s := range sources {
		head.Entries = append(head.Entries, s.entry())
	}
	if err := head.validate(); err != nil { // early: packing takes long
		return Index{}, err
	}
	for i, s := range sources {
		size, err := s.check(head.Arch)
		if err != nil {
			return Index{}, s.named(err)
		}
		head.Entries[i].Size = size
	}
	spools := make([]*os.File, len(sources)) // of the packed frames
	defer func() { closeAll(spools) }()
	err := parallel(ctx, largestFirst(head.Entries), func(ctx context.Context, i int) (err error) {
		if spools[i], err = newSpool(); err == nil {
			err = sources[i].pack(ctx, spools[i], &head.Entries[i], head.Arch)
		}
		return sources[i].named(err)
	})
	if err != nil {
		return Index{}, err
	}
	return head, writeAll(ctx, w, head, spools)
}

func (s Source) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", s.Kind, s.Name, err)
}

// entry is what is known before the content is packed. Sizes and hashes are placeholders
// that an index may have.
func (s Source) entry() Entry {
	path, _ := pathOf(s.Kind, s.Name) // a name without a path is refused by validate
	noSum := strings.Repeat("0", 64)
	return Entry{
		Path: path, Kind: s.Kind, Name: s.Name, Version: s.Version,
		Size: 1, Packed: 1, SHA256: noSum, PackedSHA256: noSum,
	}
}

// check looks at each program, and also gives the size of the source's file.
func (s Source) check(arch string) (size int64, err error) {
	if s.Kind != Image && (len(s.More) > 0 || s.Tree != "") {
		return 0, errors.New("only an image can hold more than one file")
	}
	for _, program := range s.programs() {
		if err := s.checkFile(program, arch); err != nil {
			return 0, err
		}
	}
	info, err := os.Stat(s.File)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (s Source) checkFile(file, arch string) error {
	f, err := openRegular(file)
	if err != nil {
		return err
	}
	defer f.Close()
	switch {
	case s.Kind == Objects:
		return nil
	case s.Kind == Image && !nameRE.MatchString(filepath.Base(file)):
		return fmt.Errorf("%s: the file's name is unusable in an image", file)
	}
	if err := checkProgram(f, arch, s.Kind == Image); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// pack writes the frame of the source's content, and completes its entry.
func (s Source) pack(ctx context.Context, spool io.Writer, e *Entry, arch string) error {
	if s.Kind == Image {
		made, err := newImage(ctx, s, arch)
		if err != nil {
			return err
		}
		defer made.spool.Close()
		e.Size = made.tarSize()
		return packEntry(spool, e, packedWindow, func(w io.Writer) error { return made.write(ctx, w) })
	}
	f, err := openRegular(s.File)
	if err != nil {
		return err
	}
	defer f.Close()
	return packEntry(spool, e, window, func(w io.Writer) error {
		_, err := io.Copy(w, ctxReader{ctx, io.NewSectionReader(f, 0, e.Size)})
		return err
	})
}

// newSpool makes a file without a name: it is gone with this process, however that ends.
func newSpool() (*os.File, error) {
	spool, err := os.CreateTemp("", "bundle-*")
	if err != nil {
		return nil, err
	}
	return spool, os.Remove(spool.Name())
}

func packEntry(spool io.Writer, e *Entry, window int, content func(io.Writer) error) error {
	sum, packedSum := sha256.New(), sha256.New()
	packed := &counter{w: io.MultiWriter(spool, packedSum)}
	err := packMember(packed, *e, window, func(w io.Writer) error { return content(io.MultiWriter(w, sum)) })
	e.SHA256 = hex.EncodeToString(sum.Sum(nil))
	e.Packed = packed.n
	e.PackedSHA256 = hex.EncodeToString(packedSum.Sum(nil))
	return err
}

// packMember writes one frame. The encoder refuses content that is not of the entry's size.
func packMember(w io.Writer, e Entry, window int, content func(io.Writer) error) error {
	enc, err := newEncoder(w, memberSize(e.Size), window)
	if err != nil {
		return err
	}
	if err := writeMember(enc, e, content); err != nil {
		return err
	}
	return enc.Close()
}

func writeAll(ctx context.Context, w io.Writer, index Index, spools []*os.File) error {
	if err := index.validate(); err != nil {
		return err
	}
	data, err := marshalIndex(index)
	if err != nil {
		return err
	}
	err = packMember(w, indexEntry(data), window, func(w io.Writer) error { return write(w, data) })
	if err != nil {
		return err
	}
	for i, spool := range spools {
		frame := ctxReader{ctx, io.NewSectionReader(spool, 0, index.Entries[i].Packed)}
		if _, err := io.Copy(w, frame); err != nil {
			return err
		}
	}
	return write(w, []byte(tarEnd))
}

func write(w io.Writer, data []byte) error {
	_, err := w.Write(data)
	return err
}

func closeAll(spools []*os.File) {
	for _, spool := range spools {
		if spool != nil { // else there was an error before
			spool.Close()
		}
	}
}
