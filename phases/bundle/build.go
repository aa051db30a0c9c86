package bundle

import (
	"archive/tar"
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
	File    string // a program, for an image also an archive, *.tar, taken as it is; or objects

	// Of images only, and not of archives.
	More []string // further programs
	Tree string   // a folder whose content lies at the image's root
}

func (s Source) programs() []string { return append([]string{s.File}, s.More...) }

// Build writes a bundle of the sources, in their order. The head gives Kubernetes and
// Arch; the whole index is returned. Programs must be ELF of that architecture, and
// static for images. Same input, same bytes. Packed members wait in nameless files in
// the temporary directory, which needs room for the whole bundle.
func Build(ctx context.Context, w io.Writer, head Index, sources []Source) (Index, error) {
	head.Schema = Schema
	if err := checkSources(head, sources); err != nil {
		return Index{}, err
	}
	members := make([]*member, 0, len(sources))
	defer func() { closeAll(members) }()
	head.Entries = nil
	for _, s := range sources {
		m, err := prepare(s, head.Arch)
		if err != nil {
			return Index{}, named(s, err)
		}
		members = append(members, m)
		head.Entries = append(head.Entries, m.entry)
	}
	err := parallel(ctx, largestFirst(head.Entries), func(ctx context.Context, i int) error {
		return named(sources[i], members[i].pack(ctx, head.Arch))
	})
	if err != nil {
		return Index{}, err
	}
	for i, m := range members {
		head.Entries[i] = m.entry
	}
	return head, writeAll(ctx, w, head, members)
}

func named(s Source, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %s: %w", s.Kind, s.Name, s.File, err)
}

// checkSources finds early what would only come out when all is packed.
func checkSources(head Index, sources []Source) error {
	head.Entries = nil
	noSum := strings.Repeat("0", 64)
	for _, s := range sources {
		path, _ := pathOf(s.Kind, s.Name)
		head.Entries = append(head.Entries, Entry{
			Path: path, Kind: s.Kind, Name: s.Name, Version: s.Version,
			Size: 1, Packed: 1, SHA256: noSum, PackedSHA256: noSum,
		})
	}
	return head.validate()
}

// member is an entry on its way into a bundle.
type member struct {
	from   Source
	entry  Entry
	source *os.File
	image  *image   // if it is made here
	spool  *os.File // the packed frame
}

func prepare(s Source, arch string) (*member, error) {
	f, err := openRegular(s.File)
	if err != nil {
		return nil, errors.Unwrap(err) // a PathError, and the caller names the path
	}
	info, err := f.Stat()
	if err == nil {
		err = s.check(f, arch)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	path, _ := pathOf(s.Kind, s.Name)
	e := Entry{Path: path, Kind: s.Kind, Name: s.Name, Version: s.Version, Size: info.Size()}
	return &member{from: s, source: f, entry: e}, nil
}

func (s Source) check(f *os.File, arch string) error {
	plain := s.isArchive() || s.Kind != Image
	switch {
	case plain && (len(s.More) > 0 || s.Tree != ""):
		return errors.New("only an image made here can hold more than one file")
	case s.isArchive():
		return checkArchive(f)
	case s.Kind == Objects:
		return nil
	case plain:
		return checkProgram(f, arch, false)
	}
	for _, program := range s.programs() {
		if err := checkImageProgram(program, arch); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(program), err)
		}
	}
	return nil
}

func checkImageProgram(file, arch string) error {
	if !nameRE.MatchString(filepath.Base(file)) {
		return errors.New("the file's name is unusable in an image")
	}
	f, err := openRegular(file)
	if err != nil {
		return errors.Unwrap(err)
	}
	defer f.Close()
	return checkProgram(f, arch, true)
}

func (s Source) isArchive() bool {
	return s.Kind == Image && strings.HasSuffix(s.File, ".tar")
}

func checkArchive(f *os.File) error {
	if _, err := tar.NewReader(io.NewSectionReader(f, 0, tarBlock)).Next(); err != nil {
		return fmt.Errorf("not a tar: %w", err)
	}
	return nil
}

// pack spools the member's frame and completes its entry.
func (m *member) pack(ctx context.Context, arch string) (err error) {
	if m.from.Kind == Image && !m.from.isArchive() {
		if m.image, err = newImage(ctx, m.from, arch); err != nil {
			return err
		}
		m.entry.Size = m.image.tarSize()
	}
	if m.spool, err = newSpool(); err != nil {
		return err
	}
	return m.fill(ctx)
}

// newSpool makes a file without a name: it is gone with this process, however that ends.
func newSpool() (*os.File, error) {
	spool, err := os.CreateTemp("", "bundle-*")
	if err != nil {
		return nil, err
	}
	return spool, os.Remove(spool.Name())
}

func (m *member) fill(ctx context.Context) error {
	sum, packedSum := sha256.New(), sha256.New()
	packed := &counter{w: io.MultiWriter(m.spool, packedSum)}
	err := packMember(packed, m.entry, m.window(), func(w io.Writer) error {
		return m.writeContent(ctx, io.MultiWriter(w, sum))
	})
	m.entry.SHA256 = hex.EncodeToString(sum.Sum(nil))
	m.entry.Packed = packed.n
	m.entry.PackedSHA256 = hex.EncodeToString(packedSum.Sum(nil))
	return err
}

// window is narrow for what is packed already.
func (m *member) window() int {
	if m.image != nil {
		return packedWindow
	}
	return window
}

func (m *member) writeContent(ctx context.Context, w io.Writer) error {
	if m.image != nil {
		return m.image.write(ctx, w)
	}
	_, err := io.Copy(w, ctxReader{ctx, io.NewSectionReader(m.source, 0, m.entry.Size)})
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

func writeAll(ctx context.Context, w io.Writer, index Index, members []*member) error {
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
	for _, m := range members {
		frame := ctxReader{ctx, io.NewSectionReader(m.spool, 0, m.entry.Packed)}
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

func closeAll(members []*member) {
	for _, m := range members {
		m.source.Close()
		if m.image != nil {
			m.image.spool.Close()
		}
		if m.spool != nil {
			m.spool.Close()
		}
	}
}
