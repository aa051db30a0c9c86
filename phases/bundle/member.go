package bundle

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

const tarBlock = 512

// item is one file, folder or symbolic link of a tar.
type item struct {
	name string // of a folder with a slash at its end
	mode int64
	link string // where a symbolic link leads
	data []byte
}

func (i item) isDir() bool { return strings.HasSuffix(i.name, "/") }

// header fixes what must not vary.
func (i item) header() *tar.Header {
	kind := byte(tar.TypeReg)
	switch {
	case i.link != "":
		kind = tar.TypeSymlink
	case i.isDir():
		kind = tar.TypeDir
	}
	return &tar.Header{
		Typeflag: kind, Name: i.name, Linkname: i.link, Mode: i.mode, Size: int64(len(i.data)),
		ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR,
	}
}

func tarOf(items []item) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, i := range items {
		if err := w.WriteHeader(i.header()); err != nil {
			return nil, err
		}
		if _, err := w.Write(i.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return buf.Bytes(), err
}

// tarHeader is the only header that a member of this name and size can have, to the
// byte: whatever else a tar header can say (links, devices, sparse maps, owners,
// extended records) is refused by comparing.
func tarHeader(name string, size int64) ([]byte, error) {
	header := item{name: name, mode: 0o644}.header()
	header.Size = size
	var buf bytes.Buffer
	err := tar.NewWriter(&buf).WriteHeader(header)
	return buf.Bytes(), err
}

// padding is the zeros that fill up the last block of a member.
func padding(size int64) []byte { return make([]byte, -size&(tarBlock-1)) }

// memberSize is what a member of this content takes in the tar.
func memberSize(size int64) int64 { return tarBlock + size + int64(len(padding(size))) }

// member is a file in the bundle's tar: header, content and padding.
func member(name string, content []byte) ([]byte, error) {
	header, err := tarHeader(name, int64(len(content)))
	return bytes.Join([][]byte{header, content, padding(int64(len(content)))}, nil), err
}

// contentOf reads an entry's content from its member, and checks all that belongs to this. What
// it gives ends in io.EOF only if all is well.
func contentOf(e Entry, member io.Reader) (io.Reader, error) {
	want, err := tarHeader(e.Path, e.Size)
	if err != nil {
		return nil, err
	}
	header := make([]byte, tarBlock)
	if _, err := io.ReadFull(member, header); err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	if !bytes.Equal(header, want) {
		return nil, errors.New("its tar header is not the one that its name and size have in a bundle")
	}
	sum := digest.SHA256.Digester()
	end := func() error {
		rest, err := io.ReadAll(io.LimitReader(member, tarBlock)) // more than any padding
		if err != nil {
			return err
		}
		if got := sum.Digest().Encoded(); got != e.SHA256 {
			return errors.New("sha256 is " + got + ", not " + e.SHA256)
		}
		if !bytes.Equal(rest, padding(e.Size)) {
			return errors.New("something else than zeros up to the next block follows its content")
		}
		return io.EOF
	}
	return io.MultiReader(io.TeeReader(io.LimitReader(member, e.Size), sum.Hash()), check(end)), nil
}

// check is a reader that gives no bytes, and io.EOF if nothing is wrong.
type check func() error

func (c check) Read([]byte) (int, error) { return 0, c() }
