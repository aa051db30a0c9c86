// Package snapshot reads and writes archives of a cluster: etcd's database with all that it is worth
// nothing without, as one file. An archive is a tar, packed by zstd, and encrypted by age where that is
// wished. Its first member lists all others to the byte.
//
// An archive is outside input: it is refused as a whole unless it is exactly what that list says. The
// package writes only into folders that it is given, and knows neither etcd nor a config.
package snapshot

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
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
	PKI        = "pki"
	Documents  = "documents"
	Encryption = "encryption/config.yaml" // the keys that Secrets are encrypted with
	metaName   = "snapshot.json"
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
func (m Meta) HasPKI() bool { return m.Has(PKI + "/ca.key") }

// Summed tells the size and the hash of what was written to it.
type Summed struct {
	Size int64
	hash hash.Hash
}

func (s *Summed) Write(p []byte) (int, error) {
	if s.hash == nil {
		s.hash = sha256.New()
	}
	s.Size += int64(len(p))
	return s.hash.Write(p)
}

// SHA256 is the hash of what was written.
func (s *Summed) SHA256() string { return hex.EncodeToString(s.hash.Sum(nil)) }

// Write makes an archive of what is in a folder, and completes m by the list of it.
func Write(w io.Writer, m *Meta, folder string) error {
	from, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := m.list(from); err != nil {
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
	if err := writeMember(members, File{Name: metaName, Size: int64(len(list))}, bytes.NewReader(list)); err != nil {
		return err
	}
	for _, f := range m.Files {
		r, err := from.Open(f.Name)
		if err != nil {
			return err
		}
		if err := errors.Join(writeMember(members, f, r), r.Close()); err != nil {
			return err
		}
	}
	return errors.Join(members.Close(), packed.Close())
}

// list lists a folder's files, the database first.
func (m *Meta) list(from *os.Root) error {
	m.Format, m.Files = format, nil
	err := fs.WalkDir(from.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		r, err := from.Open(name)
		if err != nil {
			return err
		}
		defer r.Close()
		sum := Summed{hash: sha256.New()}
		_, err = io.Copy(&sum, r)
		m.Files = append(m.Files, File{name, sum.Size, sum.SHA256()})
		return err
	})
	slices.SortStableFunc(m.Files, func(a, b File) int { return strings.Compare(path.Dir(a.Name), path.Dir(b.Name)) })
	return errors.Join(err, m.validate())
}

func writeMember(w *tar.Writer, f File, content io.Reader) error {
	err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.Name, Mode: 0o600, Size: f.Size, ModTime: time.Unix(0, 0), Format: tar.FormatPAX})
	if err == nil {
		_, err = io.Copy(w, content)
	}
	return err
}

// Read unpacks an archive into a folder, and checks it meanwhile: what lies there is not to be trusted until Read
// has returned nil. fits may refuse the archive by its list, before that.
func Read(r io.Reader, folder string, fits func(Meta) error) (Meta, error) {
	into, err := os.OpenRoot(folder)
	if err != nil {
		return Meta{}, err
	}
	defer into.Close()
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
		if err := readMember(members, f, into); err != nil {
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

// next is the archive's next member, which must be this one.
func next(members *tar.Reader, name string, fits func(size int64) bool) error {
	header, err := members.Next()
	if err == nil && (header.Name != name || header.Typeflag != tar.TypeReg || !fits(header.Size)) {
		err = fmt.Errorf("%w: %q of %d bytes stands where %s belongs", ErrDamaged, header.Name, header.Size, name)
	}
	return err
}

func readMeta(members *tar.Reader) (m Meta, err error) {
	if err := next(members, metaName, func(size int64) bool { return size <= maxFile }); err != nil {
		return m, err
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
	e := m.Encryption
	switch {
	case m.Format != format:
		return fmt.Errorf("%w: it has format %d, and this bootstrap reads %d", errFormat, m.Format, format)
	case len(m.Files) == 0 || len(m.Files) > maxFiles || m.Files[0].Name != Database:
		return fmt.Errorf("%w: it lists %d files, and no database as the first", ErrDamaged, len(m.Files))
	case e != "" && (path.Clean(e) != e || !strings.HasPrefix(e, "/etc/")):
		return fmt.Errorf("%w: it wants the keys of Secrets' encryption at %q, which is not below /etc", ErrDamaged, e)
	}
	for i, f := range m.Files {
		most, top := int64(maxFile), strings.SplitN(f.Name, "/", 2)[0]
		if i == 0 {
			most, top = maxDatabase, PKI
		}
		known := f.Name == Encryption || top == PKI || top == Documents
		if !known || !fs.ValidPath(f.Name) || f.Size < 0 || f.Size > most {
			return fmt.Errorf("%w: it lists a file %q of %d bytes", ErrDamaged, f.Name, f.Size)
		}
	}
	return nil
}

func readMember(members *tar.Reader, f File, into *os.Root) error {
	if err := next(members, f.Name, func(size int64) bool { return size == f.Size }); err != nil {
		return err
	}
	if err := into.MkdirAll(path.Dir(f.Name), 0o700); err != nil {
		return err
	}
	w, err := into.OpenFile(f.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer w.Close()
	sum := Summed{hash: sha256.New()}
	if _, err := io.Copy(io.MultiWriter(w, &sum), members); err != nil {
		return err
	}
	if got := sum.SHA256(); got != f.SHA256 {
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
	n, err := io.Copy(io.Discard, io.LimitReader(dec, 1))
	if n > 0 {
		return fmt.Errorf("%w: something follows its end", ErrDamaged)
	}
	return err
}
