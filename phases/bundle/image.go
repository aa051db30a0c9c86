package bundle

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	programDir = "usr/local/bin"
	passwd     = "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"
	group      = "root:x:0:\nnobody:x:65534:\n"
)

// file is one small file of an image layout.
type file struct {
	name string
	data []byte
}

// image is the OCI layout, as a tar, of an image with one static program in one layer.
type image struct {
	program *os.File
	size    int64  // of the program
	base    string // its name
	layer   v1.Descriptor
	files   []file // the layout without its layer
}

func newImage(ctx context.Context, program *os.File, ref, arch string) (*image, error) {
	info, err := program.Stat()
	if err != nil {
		return nil, err
	}
	m := &image{program: program, size: info.Size(), base: path.Base(program.Name())}
	// The digest names the layer in the tar, so the program is read twice.
	sum := digest.Canonical.Digester()
	counted := &counter{w: sum.Hash()}
	if err := m.writeLayer(ctx, counted); err != nil {
		return nil, err
	}
	// A plain layer: the bundle compresses it.
	m.layer = v1.Descriptor{MediaType: v1.MediaTypeImageLayer, Digest: sum.Digest(), Size: counted.n}
	return m, m.describe(ref, v1.Platform{Architecture: arch, OS: "linux"})
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
	layout := file{v1.ImageLayoutFile, []byte(`{"imageLayoutVersion":"` + v1.ImageLayoutVersion + `"}`)}
	m.files = append([]file{layout, {v1.ImageIndexFile, index}}, m.files...)
	return err
}

// config sets PATH because a static pod's command names the program without a folder.
func (m *image) config(p v1.Platform) v1.Image {
	return v1.Image{
		Platform: p,
		Config: v1.ImageConfig{
			Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
			Entrypoint: []string{"/" + programDir + "/" + m.base},
			WorkingDir: "/",
		},
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{m.layer.Digest}},
	}
}

func (m *image) blob(mediaType string, v any) (v1.Descriptor, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return v1.Descriptor{}, err
	}
	d := v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	m.files = append(m.files, file{blobPath(d), data})
	return d, nil
}

func blobPath(d v1.Descriptor) string {
	return path.Join(v1.ImageBlobsDir, d.Digest.Algorithm().String(), d.Digest.Encoded())
}

// tarSize is what write will write.
func (m *image) tarSize() int64 {
	size := memberSize(m.layer.Size) + tarTrailer
	for _, f := range m.files {
		size += memberSize(int64(len(f.data)))
	}
	return size
}

func (m *image) write(ctx context.Context, w io.Writer) error {
	tw := tar.NewWriter(w)
	for _, f := range m.files {
		if err := addFile(tw, f); err != nil {
			return err
		}
	}
	if err := addHeader(tw, tar.Header{Name: blobPath(m.layer), Mode: 0o644, Size: m.layer.Size}); err != nil {
		return err
	}
	sum := m.layer.Digest.Verifier()
	if err := m.writeLayer(ctx, io.MultiWriter(tw, sum)); err != nil {
		return err
	}
	if !sum.Verified() {
		return errors.New("the program changed while it was read")
	}
	return tw.Close()
}

func (m *image) writeLayer(ctx context.Context, w io.Writer) error {
	tw := tar.NewWriter(w)
	dirs := []tar.Header{
		{Name: "etc/", Mode: 0o755},
		{Name: "tmp/", Mode: 0o1777},
		{Name: "usr/", Mode: 0o755},
		{Name: "usr/local/", Mode: 0o755},
		{Name: programDir + "/", Mode: 0o755},
	}
	for _, h := range dirs {
		if err := addHeader(tw, h); err != nil {
			return err
		}
	}
	for _, f := range []file{{"etc/group", []byte(group)}, {"etc/passwd", []byte(passwd)}} {
		if err := addFile(tw, f); err != nil {
			return err
		}
	}
	h := tar.Header{Name: programDir + "/" + m.base, Mode: 0o755, Size: m.size}
	if err := addHeader(tw, h); err != nil {
		return err
	}
	if _, err := io.Copy(tw, ctxReader{ctx, io.NewSectionReader(m.program, 0, m.size)}); err != nil {
		return err
	}
	return tw.Close()
}

// addHeader fixes what must not vary. A trailing slash in the name makes a directory.
func addHeader(tw *tar.Writer, h tar.Header) error {
	h.Typeflag = tar.TypeReg
	if strings.HasSuffix(h.Name, "/") {
		h.Typeflag = tar.TypeDir
	}
	h.ModTime = time.Unix(0, 0)
	h.Format = tar.FormatUSTAR
	return tw.WriteHeader(&h)
}

func addFile(tw *tar.Writer, f file) error {
	if err := addHeader(tw, tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.data))}); err != nil {
		return err
	}
	_, err := tw.Write(f.data)
	return err
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
