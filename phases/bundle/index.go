package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"bootstrap/phases/lazyregexp"
)

// Schema is the version of the index that this program writes and reads.
const Schema = 3

const (
	indexName  = "index.json"
	maxIndex   = 1 << 20
	maxEntries = 1000
	maxSize    = 4 << 30
	maxTotal   = 16 << 30
	// Programs pack 3 or 4 to 1, and a tiny image's tar, nearly all padding, 30 to 1.
	// zstd itself reaches 20000 to 1: only a bomb needs that.
	maxRatio = 200
	maxPath  = 100 // what a plain USTAR header holds
)

// Kind says what a bundle's entry is for.
type Kind string

// The kinds of entries: a program of the host, a CNI plugin, an OCI image archive, a
// file of objects for the API server.
const (
	Binary  Kind = "binary"
	CNI     Kind = "cni"
	Image   Kind = "image"
	Objects Kind = "objects"
)

// Index is the table of contents of a bundle, its first member.
type Index struct {
	Schema     int     `json:"schema"`
	Kubernetes string  `json:"kubernetes"` // v1.36.3
	Arch       string  `json:"arch"`       // amd64 or arm64
	Entries    []Entry `json:"entries"`    // in the order of the file
}

// Entry is one file of a bundle.
type Entry struct {
	Path    string `json:"path"`    // bin/kubelet, cni/bridge, images/etcd.tar
	Kind    Kind   `json:"kind"`    // decides the folder of Path
	Name    string `json:"name"`    // kubelet; an image's full reference
	Version string `json:"version"` // v1.36.3
	Size    int64  `json:"size"`    // bytes of the content, unpacked
	SHA256  string `json:"sha256"`  // hex, of the content
	Packed  int64  `json:"packed"`  // bytes of the entry's zstd frame

	PackedSHA256 string `json:"packedSHA256"` // hex, of the frame
}

// blame names the entry that an error is about.
func (e Entry) blame(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("entry %q: %w", e.Path, err)
}

// Check refuses a bundle that is not for machines of this GOARCH.
func (i Index) Check(arch string) error {
	if i.Arch != arch {
		return fmt.Errorf("bundle holds %s programs, this machine is %s", i.Arch, arch)
	}
	return nil
}

var (
	kubernetesRE = lazyregexp.New(`^v[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}([-+][0-9A-Za-z.+-]{1,64})?$`)
	versionRE    = lazyregexp.New(`^[0-9A-Za-z][0-9A-Za-z._+-]{0,63}$`)
	nameRE       = lazyregexp.New(`^[a-z0-9]+([._-]+[a-z0-9]+)*$`)
	imageRE      = lazyregexp.New(`^[a-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+:[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}$`)
	sha256RE     = lazyregexp.New(`^[0-9a-f]{64}$`)
)

// indexMember is the first member of a bundle with this index.
func indexMember(i Index) ([]byte, error) {
	data, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return nil, err
	}
	return member(indexName, append(data, '\n'))
}

func (i Index) validate() error {
	if err := i.validateHead(); err != nil {
		return err
	}
	seen := map[string]bool{}
	total := int64(0)
	for _, e := range i.Entries {
		err := e.validate()
		total += e.Size
		switch {
		case err != nil:
		case seen[e.Path]: // it follows from kind and name, so this finds those twice as well
			err = errors.New("twice in the index")
		case total > maxTotal:
			err = fmt.Errorf("makes the bundle larger than %d bytes", int64(maxTotal))
		}
		if err != nil {
			return e.blame(err)
		}
		seen[e.Path] = true
	}
	return nil
}

func (i Index) validateHead() error {
	switch {
	case i.Schema != Schema:
		return fmt.Errorf("schema is %d, this program reads %d", i.Schema, Schema)
	case !kubernetesRE().MatchString(i.Kubernetes):
		return fmt.Errorf("%q is no Kubernetes version", i.Kubernetes)
	case i.Arch != "amd64" && i.Arch != "arm64":
		return fmt.Errorf("unknown architecture %q", i.Arch)
	case len(i.Entries) == 0:
		return errors.New("no entries")
	case len(i.Entries) > maxEntries:
		return fmt.Errorf("%d entries, more than %d", len(i.Entries), maxEntries)
	}
	return nil
}

func (e Entry) validate() error {
	path, ok := pathOf(e.Kind, e.Name)
	switch {
	case !slices.Contains([]Kind{Binary, CNI, Image, Objects}, e.Kind):
		return fmt.Errorf("unknown kind %q", e.Kind)
	case !ok:
		return fmt.Errorf("unusable name %q", e.Name)
	case len(path) > maxPath:
		return fmt.Errorf("path longer than %d bytes", maxPath)
	case e.Path != path:
		return fmt.Errorf("%s %q belongs at %q", e.Kind, e.Name, path)
	case !versionRE().MatchString(e.Version):
		return fmt.Errorf("unusable version %q", e.Version)
	case e.Size < 1 || e.Size > maxSize:
		return fmt.Errorf("size %d is not from 1 to %d", e.Size, int64(maxSize))
	case !sha256RE().MatchString(e.SHA256), !sha256RE().MatchString(e.PackedSHA256):
		return errors.New("sha256 is not 64 digits of lower-case hex")
	case e.Packed < 1 || e.Packed > maxPacked(memberSize(e.Size)):
		return fmt.Errorf("packed size %d is impossible", e.Packed)
	case e.Size/e.Packed > maxRatio:
		return fmt.Errorf("unpacks to more than %d times its size", maxRatio)
	}
	return nil
}

// maxPacked is more than any encoder makes of n bytes: what doesn't pack costs 3 bytes
// per 128 KiB. It bounds the time that frames of nothing but empty blocks take.
func maxPacked(n int64) int64 { return n + n/1024 + 1024 }

// pathOf is the one path that an entry of this kind and name can have.
func pathOf(kind Kind, name string) (string, bool) {
	if kind != Image {
		folder := map[Kind]string{Binary: "bin/", CNI: "cni/", Objects: "objects/"}[kind]
		return folder + name, nameRE().MatchString(name) && !strings.Contains(name, "..")
	}
	if len(name) > 255 || !imageRE().MatchString(name) {
		return "", false
	}
	base := name[strings.LastIndexByte(name, '/')+1:]
	base = base[:strings.IndexByte(base, ':')]
	return "images/" + base + ".tar", !strings.Contains(base, "..")
}
