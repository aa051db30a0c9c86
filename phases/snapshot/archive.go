// Package snapshot reads and writes archives of a cluster: etcd's database with all that it is worth
// nothing without, as one file. An archive is a tar, packed by zstd, which has a checksum of it, and
// encrypted by age where that is wished. Its first member says what it is.
//
// An archive is outside input, and refused as a whole unless it is what it says. The package writes only
// into folders that it is given, and knows neither etcd nor a config.
package snapshot

import (
	"archive/tar"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// The names of an archive's members, and the folders of others.
const (
	Database   = "database"
	PKI        = "pki"
	Documents  = "documents"
	Encryption = "encryption.yaml" // the keys that Secrets are encrypted with
	metaName   = "SNAPSHOT.json"   // comes before the others in the order of names
)

const format = 1 // that this program writes and reads

// Bounds of what is taken from an archive that anyone may have made.
const (
	maxFile     = 4 << 20
	maxFiles    = 500
	maxDatabase = 64 << 30
	window      = 8 << 20
)

// Meta is what an archive says of itself. None of it is secret.
type Meta struct {
	Format     int              `json:"format"`
	Time       time.Time        `json:"time"`
	Node       string           `json:"node"`    // whose files it holds
	Cluster    string           `json:"cluster"` // hash of its CA's key, which no restore changes
	Member     string           `json:"member"`  // whose database it is
	Members    []Member         `json:"members"`
	Revision   int64            `json:"revision"`
	Etcd       string           `json:"etcd"` // versions
	Kubernetes string           `json:"kubernetes"`
	PKI        bool             `json:"pki"`                  // without the CAs it restores no other machine
	Keys       map[string]int64 `json:"keys,omitempty"`       // how many there were by prefix, as a living member counted them
	Encryption string           `json:"encryption,omitempty"` // where the API server reads the keys of Secrets' encryption; empty without
}

// Member is one of etcd's members.
type Member struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Peers   []string `json:"peers"`
	Learner bool     `json:"learner,omitempty"`
}

// Write makes an archive of what is in a folder.
func Write(w io.Writer, m Meta, from *os.Root) error {
	m.Format = format
	said, err := json.MarshalIndent(m, "", "  ")
	if err == nil {
		err = from.WriteFile(metaName, said, 0o600)
	}
	if err != nil {
		return err
	}
	packed, err := zstd.NewWriter(w, zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	members := tar.NewWriter(packed)
	if err := members.AddFS(from.FS()); err != nil {
		return err
	}
	return errors.Join(members.Close(), packed.Close())
}

// Read unpacks an archive into an empty folder, and checks it meanwhile: what lies there is not to be trusted until
// Read has returned nil. room may refuse the database by its size.
func Read(r io.Reader, into *os.Root, room func(int64) error) (m Meta, err error) {
	dec, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(window), zstd.WithDecodeBuffersBelow(0))
	if err != nil {
		return m, err
	}
	defer dec.Close()
	members := tar.NewReader(dec)
	if m, err = readMeta(members); err != nil {
		return m, damaged(err)
	}
	for n := 0; err == nil && n <= maxFiles; n++ {
		err = readMember(members, into, room)
	}
	if !errors.Is(err, io.EOF) {
		return m, damaged(cmp.Or(err, errors.New("it holds too many files")))
	}
	return m, damaged(m.isWhole(into, dec))
}

// ErrDamaged is of an archive that is not what it was when it was written, or never was one.
var ErrDamaged = errors.New("the archive is damaged, or none of bootstrap's")

var errFormat = errors.New("the archive is of another bootstrap: use that one, or a newer one")

// damaged is whatever a decoder says, but for what is no damage: a disk or a network that fails.
func damaged(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrDamaged), errors.Is(err, errFormat), errors.As(err, new(*fs.PathError)), errors.As(err, new(net.Error)):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it was cut short (%w)", ErrDamaged, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

func readMeta(members *tar.Reader) (m Meta, err error) {
	header, err := members.Next()
	if err != nil {
		return m, err
	}
	if header.Name != metaName || header.Size > maxFile {
		return m, fmt.Errorf("it does not begin with %s", metaName)
	}
	if err := json.NewDecoder(members).Decode(&m); err != nil {
		return m, err
	}
	e := m.Encryption
	switch {
	case m.Format != format:
		return m, fmt.Errorf("%w: it has format %d, and this bootstrap reads %d", errFormat, m.Format, format)
	case e != "" && (path.Clean(e) != e || !path.IsAbs(e)):
		return m, fmt.Errorf("it wants the keys of Secrets' encryption at %q, which is no place", e)
	}
	return m, nil
}

// readMember unpacks the next member. A link, or a name that no archive of ours has, is an error.
func readMember(members *tar.Reader, into *os.Root, room func(int64) error) error {
	header, err := members.Next()
	if err != nil {
		return err // io.EOF at the end
	}
	name := path.Clean(header.Name)
	folder, _, _ := strings.Cut(name, "/")
	known, most := name == Encryption || folder == PKI || folder == Documents, int64(maxFile)
	if name == Database {
		known, most, err = true, maxDatabase, room(header.Size)
	}
	switch {
	case err != nil:
		return &fs.PathError{Op: "unpack", Path: name, Err: err}
	case !known || !fs.ValidPath(name) || header.Size > most:
		return fmt.Errorf("%q of %d bytes has no place in it", header.Name, header.Size)
	case header.Typeflag == tar.TypeDir:
		return into.MkdirAll(name, 0o700)
	case header.Typeflag != tar.TypeReg:
		return fmt.Errorf("%q is no file", header.Name)
	}
	w, err := into.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, members)
	return errors.Join(err, w.Close())
}

// isWhole wants what an archive says of itself, and nothing behind it.
func (m Meta) isWhole(in *os.Root, behind io.Reader) error {
	_, err := in.Stat(Database)
	if m.PKI && err == nil {
		_, err = in.Stat(PKI + "/ca.key")
	}
	if err != nil {
		return fmt.Errorf("%w: %s", ErrDamaged, err.Error()) // what is missing is no matter of the disk
	}
	n, err := io.Copy(io.Discard, io.LimitReader(behind, 1))
	if n > 0 {
		return errors.New("something follows its end")
	}
	return err
}
