package bundle

import (
	"encoding/json"
	"path"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// imageTar is an image with one layer: its OCI layout, as a tar. It packs the layer and does
// not leave that to the bundle's frame: a runtime keeps the layer as it comes, so that a node
// writes and hashes a third as much.
func imageTar(s Source, arch string) ([]byte, error) {
	files, err := layerItems(s, arch)
	if err != nil {
		return nil, err
	}
	plain, err := tarOf(files)
	if err != nil {
		return nil, err
	}
	layer, err := compress(plain, window)
	if err != nil {
		return nil, err
	}
	platform := v1.Platform{Architecture: arch, OS: "linux"}
	config, err := json.Marshal(v1.Image{
		Platform: platform,
		Config: v1.ImageConfig{
			// A static pod's command names the program without a folder.
			Env:        []string{"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/bin"},
			Entrypoint: []string{"/" + programPath(s.File)},
			WorkingDir: "/",
		},
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(plain)}},
	})
	if err != nil {
		return nil, err
	}
	return layoutTar(s.Name, platform, config, layer)
}

func layoutTar(reference string, platform v1.Platform, config, layer []byte) ([]byte, error) {
	manifest, err := json.Marshal(v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: v1.MediaTypeImageManifest,
		Config:    descriptor(v1.MediaTypeImageConfig, config),
		Layers:    []v1.Descriptor{descriptor(v1.MediaTypeImageLayerZstd, layer)},
	})
	if err != nil {
		return nil, err
	}
	described := descriptor(v1.MediaTypeImageManifest, manifest)
	described.Platform = &platform
	described.Annotations = map[string]string{
		"io.containerd.image.name": reference, // what containerd's importer calls the image
		v1.AnnotationRefName:       reference[strings.LastIndexByte(reference, ':')+1:],
	}
	index, err := json.Marshal(v1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: v1.MediaTypeImageIndex,
		Manifests: []v1.Descriptor{described},
	})
	if err != nil {
		return nil, err
	}
	return tarOf([]item{
		{name: v1.ImageLayoutFile, mode: 0o644, data: []byte(`{"imageLayoutVersion":"` + v1.ImageLayoutVersion + `"}`)},
		{name: v1.ImageIndexFile, mode: 0o644, data: index},
		blob(config), blob(manifest), blob(layer),
	})
}

func descriptor(mediaType string, data []byte) v1.Descriptor {
	return v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
}

func blob(data []byte) item {
	sum := digest.FromBytes(data)
	return item{name: path.Join(v1.ImageBlobsDir, sum.Algorithm().String(), sum.Encoded()), mode: 0o644, data: data}
}

func programPath(file string) string { return "usr/local/bin/" + filepath.Base(file) }
