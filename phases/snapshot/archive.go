// Package snapshot reads and writes archives of a cluster: etcd's database with all that it is worth
// nothing without, as one file. An archive is a tar, packed by zstd, and encrypted by age where that is
// wished. Its first member lists all others to the byte.
//
// An archive is outside input: it is refused as a whole unless it is exactly what that list says. The
// package must not write to the machine, and knows neither etcd nor a config.
package snapshot

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// The names of an archive's members, and the folders of others.
const (
	Database   = "database"
	PKI        = "pki/"
	Documents  = "documents/"
	Encryption = "encryption/config.yaml" // the keys that Secrets are encrypted with
	metaName   = "snapshot.json"
)

// format is the one that this program writes and reads.
const format = 1

// Bounds of what is taken from an archive that anyone may have made.
const (
	maxMeta     = 4 << 20
	maxFile     = 4 << 20
	maxFiles    = 500
	maxDatabase = 64 << 30
	window      = 8 << 20
)

// Meta is what an archive says of itself. None of it is secret.
type Meta struct {
	Format     int       `json:"format"`
	Time       time.Time `json:"time"`
	Node       string    `json:"node"`    // whose files it holds
	Cluster    string    `json:"cluster"` // hash of its CA's key, which no restore changes
	Member     string    `json:"member"`  // whose database it is
	Members    []Member  `json:"members"`
	Revision   int64     `json:"revision"`
	Etcd       string    `json:"etcd"` // versions
	Kubernetes string    `json:"kubernetes"`
	// Keys are how many keys there were at that revision, by prefix, as a living member counts them.
	Keys map[string]int64 `json:"keys,omitempty"`
	// Encryption is where the API server reads the keys of Secrets' encryption; empty where nothing is encrypted.
	Encryption string `json:"encryption,omitempty"`
	Files      []File `json:"files"`
}

// Member is one of etcd's members.
type Member struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Peers   []string `json:"peers"`
	Learner bool     `json:"learner,omitempty"`
}

// File is a member of the archive.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Has tells whether the archive holds a file.
func (m Meta) Has(name string) bool {
	return slices.ContainsFunc(m.Files, func(f File) bool { return f.Name == name })
}

// HasPKI tells whether it holds the CAs: without them it restores no other machine.
func (m Meta) HasPKI() bool { return m.Has(PKI + "ca.key") }

// Source is content that goes into an archive: Data, or the file at Path.
type Source struct {
	Name string
	Data []byte
	Path string
}

func (s Source) open() (io.ReadCloser, error) {
	if s.Path == "" {
		return io.NopCloser(bytes.NewReader(s.Data)), nil
	}
	return os.Open(s.Path)
}

func (s Source) file() (File, error) {
	r, err := s.open()
	if err != nil {
		return File{}, err
	}
	defer r.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, r)
	return File{s.Name, n, hex.EncodeToString(sum.Sum(nil))}, err
}

// Write makes an archive of sources, and completes m by the list of them.
func Write(w io.Writer, m *Meta, sources []Source) error {
	m.Format, m.Files = format, nil
	for _, s := range sources {
		f, err := s.file()
		if err != nil {
			return err
		}
		m.Files = append(m.Files, f)
	}
	if err := m.validate(); err != nil {
		return err
	}
	list, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	packed, err := zstd.NewWriter(w, zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	members := tar.NewWriter(packed)
	for i, s := range append([]Source{{Name: metaName, Data: list}}, sources...) {
		size := int64(len(list))
		if i > 0 {
			size = m.Files[i-1].Size
		}
		if err := writeMember(members, s, size); err != nil {
			return err
		}
	}
	return errors.Join(members.Close(), packed.Close())
}

func writeMember(w *tar.Writer, s Source, size int64) error {
	r, err := s.open()
	if err != nil {
		return err
	}
	defer r.Close()
	header := &tar.Header{Typeflag: tar.TypeReg, Name: s.Name, Mode: 0o600, Size: size, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return err
}

// Read checks an archive while it reads it. take is given each file, in the order of the list: what it got
// is not to be trusted until Read has returned nil. fits may refuse the archive by its list, before that.
func Read(r io.Reader, fits func(Meta) error, take func(File, io.Reader) error) (Meta, error) {
	dec, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(window), zstd.WithDecodeBuffersBelow(0))
	if err != nil {
		return Meta{}, err
	}
	defer dec.Close()
	members := tar.NewReader(dec)
	m, err := readMeta(members)
	if err != nil {
		return m, damaged(err)
	}
	if err := fits(m); err != nil {
		return m, err
	}
	for _, f := range m.Files {
		var refused error
		err := readMember(members, f, func(f File, content io.Reader) error {
			refused = take(f, content)
			return refused
		})
		if refused != nil && errors.As(refused, new(*fs.PathError)) {
			return m, refused // such as a full disk
		}
		if err != nil {
			return m, damaged(err)
		}
	}
	return m, damaged(atEnd(members, dec))
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
	switch {
	case err != nil:
		return m, err
	case header.Name != metaName || header.Typeflag != tar.TypeReg || header.Size > maxMeta:
		return m, fmt.Errorf("%w: it does not begin with %s", ErrDamaged, metaName)
	}
	data, err := io.ReadAll(members)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("%w: %s: %w", ErrDamaged, metaName, err)
	}
	return m, m.validate()
}

// validate refuses names and sizes that no archive of ours has.
func (m Meta) validate() error {
	if m.Format != format {
		return fmt.Errorf("%w: it has format %d, and this bootstrap reads %d", errFormat, m.Format, format)
	}
	if len(m.Files) == 0 || len(m.Files) > maxFiles || m.Files[0].Name != Database {
		return fmt.Errorf("%w: it lists %d files, and no database as the first", ErrDamaged, len(m.Files))
	}
	if e := m.Encryption; e != "" && (path.Clean(e) != e || !strings.HasPrefix(e, "/etc/")) {
		return fmt.Errorf("%w: it wants the keys of Secrets' encryption at %q, which is not below /etc", ErrDamaged, e)
	}
	for i, f := range m.Files {
		if err := f.validate(); err != nil {
			return err
		}
		if slices.ContainsFunc(m.Files[:i], func(o File) bool { return o.Name == f.Name }) {
			return fmt.Errorf("%w: it lists %s twice", ErrDamaged, f.Name)
		}
	}
	return nil
}

func (f File) validate() error {
	most, known := int64(maxFile), f.Name == Database || f.Name == Encryption || strings.HasPrefix(f.Name, PKI) || strings.HasPrefix(f.Name, Documents)
	if f.Name == Database {
		most = maxDatabase
	}
	switch {
	case !known || !fs.ValidPath(f.Name) || strings.Contains(f.Name, "\\"):
		return fmt.Errorf("%w: it lists a file %q", ErrDamaged, f.Name)
	case f.Size < 0 || f.Size > most || len(f.SHA256) != sha256.Size*2:
		return fmt.Errorf("%w: %s has %d bytes by its list, and the hash %q", ErrDamaged, f.Name, f.Size, f.SHA256)
	}
	return nil
}

func readMember(members *tar.Reader, f File, take func(File, io.Reader) error) error {
	header, err := members.Next()
	if err != nil {
		return err
	}
	if header.Name != f.Name || header.Size != f.Size || header.Typeflag != tar.TypeReg || header.PAXRecords["GNU.sparse.major"] != "" {
		return fmt.Errorf("%w: %q of %d bytes stands where its list has %s of %d", ErrDamaged, header.Name, header.Size, f.Name, f.Size)
	}
	sum := sha256.New()
	content := io.TeeReader(members, sum)
	if err := take(f, content); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, content); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return fmt.Errorf("%w: the sha256 of %s is %s, not %s", ErrDamaged, f.Name, got, f.SHA256)
	}
	return nil
}

// atEnd wants nothing behind the last file.
func atEnd(members *tar.Reader, dec io.Reader) error {
	header, err := members.Next()
	if err == nil {
		return fmt.Errorf("%w: %q is not in its list", ErrDamaged, header.Name)
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(dec, 1)); n > 0 || err != nil {
		return errors.Join(fmt.Errorf("%w: something follows its end", ErrDamaged), err)
	}
	return nil
}

// CheckDatabase compares a database with the hash that etcd has put at its end.
func CheckDatabase(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	content := info.Size() - sha256.Size
	if content <= 0 || content%512 != 0 {
		return fmt.Errorf("%w: the database of %d bytes has not the hash at its end that etcd puts there: it was cut short", ErrDamaged, info.Size())
	}
	sum, want := sha256.New(), make([]byte, sha256.Size)
	if _, err := io.Copy(sum, io.LimitReader(f, content)); err != nil {
		return err
	}
	if _, err := io.ReadFull(f, want); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), want) {
		return fmt.Errorf("%w: the database is not what etcd has sent: its hash is another", ErrDamaged)
	}
	return nil
}
