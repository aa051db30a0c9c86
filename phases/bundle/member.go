package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
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

// padding is the zeros that fill up the last block of a member.
func padding(size int64) []byte { return make([]byte, -size&(tarBlock-1)) }

// memberSize is what a member of this content takes in the tar.
func memberSize(size int64) int64 { return tarBlock + size + int64(len(padding(size))) }

// writeMember writes header, content and padding.
func writeMember(w io.Writer, e Entry, content func(io.Writer) error) error {
	header, err := tarHeader(e.Path, e.Size)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	if err := content(w); err != nil {
		return err
	}
	_, err = w.Write(padding(e.Size))
	return err
}

// content yields one entry's bytes and checks all that belongs to its member as it
// passes. After an error, each Read gives that error again.
type content struct {
	ctx   context.Context
	entry Entry
	dec   *zstd.Decoder
	body  io.Reader // of dec, as many bytes as the entry has
	sum   hash.Hash // of what was read of body
	err   error
}

func newContent(ctx context.Context, e Entry, packed io.Reader) (*content, error) {
	dec, err := newDecoder(packed)
	if err != nil {
		return nil, err
	}
	c := &content{ctx: ctx, entry: e, dec: dec, sum: sha256.New()}
	c.body = io.TeeReader(io.LimitReader(dec, e.Size), c.sum)
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
		return c.fault("unpack: " + err.Error())
	}
	if !bytes.Equal(got, want) {
		return c.fault("its tar header is not the one that its name and size have in a bundle")
	}
	return nil
}

func (c *content) fault(reason string) error { return &EntryError{c.entry.Path, reason} }

func (c *content) Read(p []byte) (int, error) {
	if c.err == nil {
		c.err = c.ctx.Err()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.body.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		c.err = c.finish()
	case err != nil:
		c.err = c.fault("unpack: " + err.Error())
	}
	return n, c.err
}

// finish checks the hash, and what follows the content. It returns io.EOF if all is well.
func (c *content) finish() error {
	rest, err := io.ReadAll(io.LimitReader(c.dec, tarBlock)) // more than any padding
	if err != nil {
		return c.fault("unpack: " + err.Error())
	}
	if got := hex.EncodeToString(c.sum.Sum(nil)); got != c.entry.SHA256 {
		return c.fault("sha256 is " + got + ", not " + c.entry.SHA256)
	}
	if !bytes.Equal(rest, padding(c.entry.Size)) {
		return c.fault("something else than zeros up to the next block follows its content")
	}
	return io.EOF
}

// drain reads what is left, and says whether the whole was as the index says.
func (c *content) drain() error {
	_, err := io.Copy(io.Discard, c)
	return err
}
