package bundle

import (
	"archive/tar"
	"context"
	"encoding/json"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// image is the OCI layout, as a tar, of an image with one layer.
type image struct {
	base   string   // name of the program it starts
	spool  *os.File // the layer, packed
	layer  v1.Descriptor
	diffID digest.Digest // of the layer, unpacked
	files  []item        // the layout without its layer
}

// newImage packs the layer inside the image, and does not leave that to the bundle's frame:
// a runtime keeps the layer as it comes, so that a node writes and hashes a third as much.
func newImage(ctx context.Context, s Source, arch string) (*image, error) {
	items, err := layerItems(s)
	if err != nil {
		return nil, err
	}
	spool, err := newSpool()
	if err != nil {
		return nil, err
	}
	m := &image{base: filepath.Base(s.File), spool: spool}
	err = m.pack(ctx, items)
	if err == nil {
		err = m.describe(s.Name, v1.Platform{Architecture: arch, OS: "linux"})
	}
	if err != nil {
		spool.Close()
	}
	return m, err
}

func (m *image) pack(ctx context.Context, items []item) error {
	sum, plainSum := digest.Canonical.Digester(), digest.Canonical.Digester()
	packed := &counter{w: io.MultiWriter(m.spool, sum.Hash())}
	enc, err := newEncoder(packed, unknownSize, window)
	if err != nil {
		return err
	}
	if err := writeLayer(ctx, io.MultiWriter(enc, plainSum.Hash()), items); err != nil {
		return err
	}
	if err := enc.Close(); err != nil {
		return err
	}
	m.layer = v1.Descriptor{MediaType: v1.MediaTypeImageLayerZstd, Digest: sum.Digest(), Size: packed.n}
	m.diffID = plainSum.Digest()
	return nil
}

// describe makes the layout's JSON files, from the config outwards.
func (m *image) describe(ref string, p v1.Platform) error {
	config, err := m.blob(v1.MediaTypeImageConfig, m.config(p))
	if err != nil {
		return err
	}
	manifest, err := m.blob(v1.MediaTypeImageManifest, v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: v1.MediaTypeImageManifest,
		Config:    config,
		Layers:    []v1.Descriptor{m.layer},
	})
	if err != nil {
		return err
	}
	manifest.Platform = &p
	manifest.Annotations = map[string]string{
		"io.containerd.image.name": ref, // what containerd's importer calls the image
		v1.AnnotationRefName:       ref[strings.LastIndexByte(ref, ':')+1:],
	}
	index, err := json.Marshal(v1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: v1.MediaTypeImageIndex,
		Manifests: []v1.Descriptor{manifest},
	})
	layout := dataItem(v1.ImageLayoutFile, `{"imageLayoutVersion":"`+v1.ImageLayoutVersion+`"}`)
	m.files = append([]item{layout, dataItem(v1.ImageIndexFile, string(index))}, m.files...)
	return err
}

// config sets PATH because a static pod's command names the program without a folder.
func (m *image) config(p v1.Platform) v1.Image {
	return v1.Image{
		Platform: p,
		Config: v1.ImageConfig{
			Env:        []string{"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/bin"},
			Entrypoint: []string{"/" + programDir + "/" + m.base},
			WorkingDir: "/",
		},
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{m.diffID}},
	}
}

func (m *image) blob(mediaType string, v any) (v1.Descriptor, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return v1.Descriptor{}, err
	}
	d := v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	m.files = append(m.files, dataItem(blobPath(d), string(data)))
	return d, nil
}

func blobPath(d v1.Descriptor) string {
	return path.Join(v1.ImageBlobsDir, d.Digest.Algorithm().String(), d.Digest.Encoded())
}

// tarSize is what write will write.
func (m *image) tarSize() int64 {
	size := memberSize(m.layer.Size) + tarTrailer
	for _, f := range m.files {
		size += memberSize(f.size)
	}
	return size
}

func (m *image) write(ctx context.Context, w io.Writer) error {
	tw := tar.NewWriter(w)
	for _, f := range m.files {
		if err := f.write(ctx, tw); err != nil {
			return err
		}
	}
	if err := addHeader(tw, tar.Header{Name: blobPath(m.layer), Mode: 0o644, Size: m.layer.Size}); err != nil {
		return err
	}
	if _, err := io.Copy(tw, ctxReader{ctx, io.NewSectionReader(m.spool, 0, m.layer.Size)}); err != nil {
		return err
	}
	return tw.Close()
}

// addHeader fixes what must not vary. A trailing slash in the name makes a directory.
func addHeader(tw *tar.Writer, h tar.Header) error {
	switch {
	case h.Linkname != "":
		h.Typeflag = tar.TypeSymlink
	case strings.HasSuffix(h.Name, "/"):
		h.Typeflag = tar.TypeDir
	default:
		h.Typeflag = tar.TypeReg
	}
	h.ModTime = time.Unix(0, 0)
	h.Format = tar.FormatUSTAR
	return tw.WriteHeader(&h)
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
