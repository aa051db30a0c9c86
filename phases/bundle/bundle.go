// Package bundle reads and writes the air-gap bundle: one file that holds the
// programs, CNI plugins, images and API objects of a node.
//
// A bundle is a row of zstd frames. Each frame holds one member of a tar, the last one
// the tar's two closing blocks: `zstd -dc FILE | tar t` reads it as a plain archive,
// and each member can be read and checked alone. The first member is the index, which
// fixes all that follows to the byte. A bundle may also lie at the end of an
// executable, see Attach.
//
// A bundle is outside input: it is refused as a whole unless it is exactly what its
// index says. The package must not write to the machine (callers install through
// host), must not know the container runtime, and must not use a network.
package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// Bundle is an open bundle. Its methods may be called side by side.
type Bundle struct {
	path    string
	file    *os.File
	section *io.SectionReader
	index   Index
	offsets []int64 // of the entries' frames
}

// Open opens a bundle file, or an executable with a bundle attached. It checks the
// index and that the file's length fits it; the entries are checked by Verify and Read.
func Open(path string) (*Bundle, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	b := &Bundle{path: path, file: f}
	if err := b.load(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path) // before open, which waits forever on a pipe
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	return os.Open(path)
}

// Close closes the file.
func (b *Bundle) Close() error { return b.file.Close() }

// Path is the file that was opened.
func (b *Bundle) Path() string { return b.path }

// Index is a copy of the table of contents.
func (b *Bundle) Index() Index {
	i := b.index
	i.Entries = slices.Clone(i.Entries)
	return i
}

// Entries lists the entries of one kind, in the order of the file.
func (b *Bundle) Entries(kind Kind) []Entry {
	other := func(e Entry) bool { return e.Kind != kind }
	return slices.DeleteFunc(slices.Clone(b.index.Entries), other)
}

// Image finds an image by its full reference.
func (b *Bundle) Image(name string) (Entry, bool) { return b.Entry(Image, name) }

// Entry finds an entry by kind and name.
func (b *Bundle) Entry(kind Kind, name string) (Entry, bool) {
	for _, e := range b.index.Entries {
		if e.Kind == kind && e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}

// Intact checks that entries are to the bit what was built: what a copy damaged is found
// before anything is installed. That an entry unpacks to what the index says, Read checks;
// Verify does for all, at many times the work.
func (b *Bundle) Intact(ctx context.Context, entries []Entry) error {
	return parallel(ctx, largestFirst(entries), func(ctx context.Context, i int) error {
		return b.intact(ctx, entries[i])
	})
}

func (b *Bundle) intact(ctx context.Context, e Entry) error {
	i := slices.Index(b.index.Entries, e)
	if i < 0 {
		return &EntryError{e.Path, "not in " + b.path}
	}
	sum := sha256.New()
	packed := io.NewSectionReader(b.section, b.offsets[i], e.Packed)
	if _, err := io.Copy(sum, ctxReader{ctx, packed}); err != nil {
		return fmt.Errorf("entry %q: %w", e.Path, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != e.PackedSHA256 {
		return &EntryError{e.Path, "sha256 as packed is " + got + ", not " + e.PackedSHA256}
	}
	return nil
}

// Verify checks the whole archive, entries in parallel, and writes nothing.
func (b *Bundle) Verify(ctx context.Context) error {
	return parallel(ctx, largestFirst(b.index.Entries), func(ctx context.Context, i int) error {
		return b.Read(ctx, b.index.Entries[i], func(io.Reader) error { return nil })
	})
}

// Read streams one entry's content to sink and checks it again, for the file may have
// changed since Verify. Until Read has returned nil, what sink got is not to be
// trusted: it must not be put to use. Its reader ends in io.EOF only if all was well.
func (b *Bundle) Read(ctx context.Context, e Entry, sink func(io.Reader) error) error {
	i := slices.Index(b.index.Entries, e)
	if i < 0 {
		return &EntryError{e.Path, "not in " + b.path}
	}
	c, err := newContent(ctx, e, io.NewSectionReader(b.section, b.offsets[i], e.Packed))
	if err != nil {
		return err
	}
	defer c.dec.Close()
	err = sink(c)
	if err != nil && (c.err == nil || errors.Is(c.err, io.EOF)) {
		return fmt.Errorf("entry %q: %w", e.Path, err)
	}
	return c.drain()
}

// load finds the bundle in the file and reads its index.
func (b *Bundle) load() error {
	part, err := locate(b.file)
	if err != nil {
		return err
	}
	b.section = part
	first, err := readFrame(part, 0, min(part.Size(), maxPacked(memberSize(maxIndex))))
	if err != nil {
		return fmt.Errorf("%s: %w", indexName, err)
	}
	b.index, err = readIndex(part, first)
	if err != nil {
		return err
	}
	end := first.packed
	for _, e := range b.index.Entries {
		b.offsets = append(b.offsets, end)
		end += e.Packed
		if end > part.Size() {
			return &EntryError{e.Path, "ends behind the end of the file"}
		}
	}
	return readTrailer(part, end)
}

func readIndex(part *io.SectionReader, f frame) (Index, error) {
	if f.content > memberSize(maxIndex) {
		return Index{}, fmt.Errorf("%s: larger than %d bytes", indexName, maxIndex)
	}
	data, err := unpack(io.NewSectionReader(part, 0, f.packed), f)
	if err != nil {
		return Index{}, fmt.Errorf("%s: %w", indexName, err)
	}
	body, err := onlyMember(data)
	if err != nil {
		return Index{}, fmt.Errorf("%s: %w", indexName, err)
	}
	return parseIndex(body)
}

// readTrailer wants the file to end in one frame with the two zero blocks of a tar.
func readTrailer(part *io.SectionReader, off int64) error {
	f, err := readFrame(part, off, min(part.Size(), off+maxPacked(tarTrailer)))
	switch {
	case err != nil:
		return fmt.Errorf("after the last entry: %w", err)
	case off+f.packed != part.Size():
		return errors.New("more data than the index accounts for")
	case f.content != tarTrailer:
		return errors.New("not the end of a tar after the last entry")
	}
	data, err := unpack(io.NewSectionReader(part, off, f.packed), f)
	if err != nil {
		return fmt.Errorf("after the last entry: %w", err)
	}
	if !allZero(data) {
		return errors.New("not the end of a tar after the last entry")
	}
	return nil
}
