package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"
)

const (
	tarBlock   = 512
	tarTrailer = 2 * tarBlock
)

// tarHeader is the only header that a member of this name and size can have, to the
// byte: whatever else a tar header can say (links, devices, sparse maps, owners,
// extended records) is refused by comparing.
func tarHeader(name string, size int64) ([]byte, error) {
	var buf bytes.Buffer
	err := tar.NewWriter(&buf).WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg,
		Name:     name,
		Size:     size,
		Mode:     0o644,
		ModTime:  time.Unix(0, 0),
		Format:   tar.FormatUSTAR,
	})
	return buf.Bytes(), err
}

func padding(size int64) int64 { return -size & (tarBlock - 1) }

// memberSize is what a member of this content takes in the tar.
func memberSize(size int64) int64 { return tarBlock + size + padding(size) }

// content yields one entry's bytes and checks all that belongs to its member as it
// passes. The first error stays.
type content struct {
	ctx   context.Context
	entry Entry
	dec   *zstd.Decoder
	sum   hash.Hash
	left  int64
	err   error
}

func newContent(ctx context.Context, e Entry, packed *io.SectionReader) (*content, error) {
	f, err := readFrame(packed, 0, packed.Size())
	switch {
	case err != nil:
		return nil, &EntryError{e.Path, err.Error()}
	case f.packed != e.Packed:
		return nil, &EntryError{e.Path, fmt.Sprintf("frame is %d bytes, not %d", f.packed, e.Packed)}
	case f.content != memberSize(e.Size):
		return nil, &EntryError{e.Path, fmt.Sprintf("frame unpacks to %d bytes, not %d", f.content, memberSize(e.Size))}
	}
	dec, err := newDecoder(packed)
	if err != nil {
		return nil, err
	}
	c := &content{ctx: ctx, entry: e, dec: dec, sum: sha256.New(), left: e.Size}
	if err := c.readHeader(); err != nil {
		dec.Close()
		return nil, err
	}
	return c, nil
}

func (c *content) readHeader() error {
	want, err := tarHeader(c.entry.Path, c.entry.Size)
	if err != nil {
		return err
	}
	got := make([]byte, tarBlock)
	if _, err := io.ReadFull(c.dec, got); err != nil {
		return &EntryError{c.entry.Path, err.Error()}
	}
	if !bytes.Equal(got, want) {
		return &EntryError{c.entry.Path, headerFault(got, c.entry)}
	}
	return nil
}

// headerFault puts into words why a header is not the expected one.
func headerFault(block []byte, e Entry) string {
	if kind := block[156]; kind != tar.TypeReg {
		return fmt.Sprintf("tar type is %q, not a regular file", kind)
	}
	h, err := tar.NewReader(bytes.NewReader(block)).Next()
	switch {
	case err != nil:
		return "tar header: " + err.Error()
	case h.Name != e.Path:
		return fmt.Sprintf("tar has %q in its place", h.Name)
	case h.Size != e.Size:
		return fmt.Sprintf("tar says %d bytes, not %d", h.Size, e.Size)
	case h.Mode != 0o644:
		return fmt.Sprintf("mode is %#o, not 0644", h.Mode)
	}
	return "tar header differs from the only one allowed"
}

func (c *content) Read(p []byte) (int, error) {
	if c.err == nil {
		c.err = c.ctx.Err()
	}
	if c.err == nil && c.left == 0 {
		c.err = c.finish()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.dec.Read(p[:min(int64(len(p)), c.left)])
	c.sum.Write(p[:n])
	c.left -= int64(n)
	if err != nil && (!errors.Is(err, io.EOF) || c.left > 0) {
		c.err = c.fault(err)
	}
	return n, c.err
}

func (c *content) fault(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &EntryError{c.entry.Path, err.Error()}
}

// finish checks what follows the content, then the hash. It returns io.EOF if all is well.
func (c *content) finish() error {
	pad := make([]byte, padding(c.entry.Size))
	if _, err := io.ReadFull(c.dec, pad); err != nil {
		return c.fault(err)
	}
	if !allZero(pad) {
		return &EntryError{c.entry.Path, "data in the padding"}
	}
	if err := readEnd(c.dec); err != nil {
		return c.fault(err)
	}
	if got := hex.EncodeToString(c.sum.Sum(nil)); got != c.entry.SHA256 {
		return &EntryError{c.entry.Path, "sha256 is " + got + ", not " + c.entry.SHA256}
	}
	return io.EOF
}

// drain reads what is left, and says whether the whole was as the index says.
func (c *content) drain() error {
	_, err := io.Copy(io.Discard, c)
	return err
}

func allZero(b []byte) bool {
	return len(bytes.TrimLeft(b, "\x00")) == 0
}

// onlyMember is the content of an index member that data holds whole.
func onlyMember(data []byte) ([]byte, error) {
	if len(data) < tarBlock {
		return nil, io.ErrUnexpectedEOF
	}
	h, err := tar.NewReader(bytes.NewReader(data)).Next()
	if err != nil {
		return nil, err
	}
	want, err := tarHeader(indexName, h.Size)
	if err != nil {
		return nil, err
	}
	end := tarBlock + h.Size
	if !bytes.Equal(data[:tarBlock], want) || int64(len(data)) != memberSize(h.Size) || !allZero(data[end:]) {
		return nil, errors.New("tar header differs from the only one allowed")
	}
	return data[tarBlock:end], nil
}
