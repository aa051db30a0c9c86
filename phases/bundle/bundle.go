// Package bundle reads and writes the air-gap bundle: one file that holds the
// programs, CNI plugins, images and API objects of a node.
//
// A bundle is a row of zstd frames. Each frame holds one member of a tar, the last one
// the tar's two closing blocks: `zstd -dc FILE | tar t` reads it as a plain archive,
// and each member can be read and checked alone. The first member is the index, which
// fixes all that follows to the byte. A bundle may also lie at the end of an
// executable, see Attach.
//
// A bundle is outside input: it is refused as a whole unless its members are exactly what
// its index says. The package must not write to the machine (callers install through
// host), must not know the container runtime, and must not use a network.
package bundle

import (
	"bytes"
	"context"
	_ "crypto/sha256" // for go-digest, which finds it by its name
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/opencontainers/go-digest"
)

// Bundle is an open bundle. Its methods may be called side by side.
type Bundle struct {
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
	b := &Bundle{file: f}
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
func (b *Bundle) Path() string { return b.file.Name() }

// Index is the table of contents. It must not be changed.
func (b *Bundle) Index() Index { return b.index }

// Entries lists the entries of one kind, in the order of the file. A nil Bundle has none.
func (b *Bundle) Entries(kind Kind) []Entry {
	if b == nil {
		return nil
	}
	other := func(e Entry) bool { return e.Kind != kind }
	return slices.DeleteFunc(slices.Clone(b.index.Entries), other)
}

// Entry finds an entry by kind and name; that of an image is its full reference. A nil Bundle
// has none.
func (b *Bundle) Entry(kind Kind, name string) (Entry, bool) {
	for _, e := range b.Entries(kind) {
		if e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}

// Intact compares the packed bytes of entries with their hashes: so what a copy damaged is
// found before anything is installed. It does not unpack them. That the content is what the
// index says, Read checks, and Verify for all entries, which takes many times as long.
func (b *Bundle) Intact(ctx context.Context, entries []Entry) error {
	return parallel(ctx, len(entries), func(i int) error {
		return entries[i].blame(b.intact(ctx, entries[i]))
	})
}

func (b *Bundle) intact(ctx context.Context, e Entry) error {
	packed, err := b.packed(e)
	if err != nil {
		return err
	}
	sum, err := digest.SHA256.FromReader(ctxReader{ctx, packed})
	if err == nil && sum.Encoded() != e.PackedSHA256 {
		err = errors.New("sha256 as packed is " + sum.Encoded() + ", not " + e.PackedSHA256)
	}
	return err
}

// packed is an entry's frame.
func (b *Bundle) packed(e Entry) (io.Reader, error) {
	i := slices.Index(b.index.Entries, e)
	if i < 0 {
		return nil, errors.New("not in " + b.Path())
	}
	return io.NewSectionReader(b.section, b.offsets[i], e.Packed), nil
}

// Verify checks the whole archive, entries in parallel, and writes nothing.
func (b *Bundle) Verify(ctx context.Context) error {
	return parallel(ctx, len(b.index.Entries), func(i int) error {
		return b.Read(ctx, b.index.Entries[i], func(io.Reader) error { return nil })
	})
}

// Read streams one entry's content to sink and checks it again, for the file may have
// changed since Verify. Until Read has returned nil, what sink got is not to be
// trusted: it must not be put to use. Its reader ends in io.EOF only if all was well.
func (b *Bundle) Read(ctx context.Context, e Entry, sink func(io.Reader) error) error {
	packed, err := b.packed(e)
	if err != nil {
		return e.blame(err)
	}
	dec, err := newDecoder(packed)
	if err != nil {
		return err
	}
	defer dec.Close()
	content, err := contentOf(e, ctxReader{ctx, dec})
	if err != nil {
		return e.blame(err)
	}
	err = sink(content)
	// What the sink has not read is checked too. Damage explains why the sink failed, so it is
	// told in place of the sink's own error.
	if _, damage := io.Copy(io.Discard, content); damage != nil {
		err = damage
	}
	return e.blame(err)
}

// load finds the bundle in the file and reads its index.
func (b *Bundle) load() error {
	part, err := locate(b.file)
	if err != nil {
		return err
	}
	end := part.Size() - int64(len(tarEnd))
	if !hasAt(part, end, tarEnd) {
		return errors.New("it does not end as a bundle does: it was cut short, or something was written behind it: copy it again")
	}
	b.index, err = readIndex(part)
	if err != nil {
		return fmt.Errorf("%s: %w", indexName, err)
	}
	b.offsets = make([]int64, len(b.index.Entries))
	for i, e := range slices.Backward(b.index.Entries) {
		end -= e.Packed
		b.offsets[i] = end
	}
	b.section = part
	return b.checkHead(end)
}

// readIndex reads the first member. Where its frame ends is not known yet: that follows
// from the lengths in the index.
func readIndex(part *io.SectionReader) (Index, error) {
	dec, err := newDecoder(io.NewSectionReader(part, 0, part.Size()))
	if err != nil {
		return Index{}, err
	}
	defer dec.Close()
	if _, err := io.CopyN(io.Discard, dec, tarBlock); err != nil {
		return Index{}, err
	}
	var i Index
	if err := json.NewDecoder(io.LimitReader(dec, maxIndex)).Decode(&i); err != nil {
		return Index{}, err
	}
	return i, i.validate()
}

// checkHead compares what stands before the first entry with the index, written again: so
// nothing else is there, the lengths in the index are those of the file, and no index has two
// spellings, of which another reader could understand one in another way.
func (b *Bundle) checkHead(end int64) error {
	want, err := indexMember(b.index)
	if err != nil {
		return err
	}
	dec, err := newDecoder(io.NewSectionReader(b.section, 0, max(0, end)))
	if err != nil {
		return err
	}
	defer dec.Close()
	got, err := io.ReadAll(io.LimitReader(dec, int64(len(want))+1))
	if err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("%s: it does not fit what is in the file: something is missing, or there is more than it lists", indexName)
	}
	return nil
}
