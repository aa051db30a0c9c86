package phases

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"bootstrap/phases/bundle"
	"bootstrap/phases/config"
)

// content is one entry of a bundle, before its version is known.
type content struct {
	kind      bundle.Kind
	component string // folder with its programs and a file VERSION
	program   string
	image     string // full reference, of images only
}

// contents is what a bundle holds. Images come in the order that init needs them.
func contents(i config.Images) []content {
	return []content{
		{bundle.Binary, "containerd", "containerd", ""},
		{bundle.Binary, "containerd", "containerd-shim-runc-v2", ""},
		{bundle.Binary, "containerd", "ctr", ""},
		{bundle.Binary, "runc", "runc", ""},
		{bundle.CNI, "cni", "bridge", ""},
		{bundle.CNI, "cni", "host-local", ""},
		{bundle.CNI, "cni", "loopback", ""},
		{bundle.CNI, "cni", "portmap", ""},
		{bundle.Binary, "kubernetes", "kubelet", ""},
		{bundle.Binary, "kubernetes", "kubectl", ""},
		{bundle.Binary, "etcd", "etcdctl", ""},
		{bundle.Binary, "etcd", "etcdutl", ""},
		{bundle.Image, "pause", "pause", i.Pause},
		{bundle.Image, "etcd", "etcd", i.Etcd},
		{bundle.Image, "kubernetes", "kube-apiserver", i.APIServer},
		{bundle.Image, "kubernetes", "kube-controller-manager", i.ControllerManager},
		{bundle.Image, "kubernetes", "kube-scheduler", i.Scheduler},
		{bundle.Image, "kubernetes", "kube-proxy", i.Proxy},
		{bundle.Image, "coredns", "coredns", i.CoreDNS},
	}
}

// BundleSources finds the programs of a bundle in a folder that has one folder
// per component, with a file VERSION in each, as scripts/components/build makes
// it. The versions must be those that the images are named after.
func BundleSources(dir string) (kubernetes string, sources []bundle.Source, err error) {
	kubernetes, err = componentVersion(dir, "kubernetes")
	if err != nil {
		return "", nil, err
	}
	for _, c := range contents(config.NewImages(config.DefaultImageRepository, kubernetes)) {
		source, err := c.source(dir)
		if err != nil {
			return "", nil, err
		}
		sources = append(sources, source)
	}
	return kubernetes, sources, nil
}

func (c content) source(dir string) (bundle.Source, error) {
	version, err := componentVersion(dir, c.component)
	if err != nil {
		return bundle.Source{}, err
	}
	source := bundle.Source{Kind: c.kind, Name: c.program, Version: version, File: filepath.Join(dir, c.component, c.program)}
	if c.image == "" {
		return source, nil
	}
	source.Name = c.image
	tag := c.image[strings.LastIndex(c.image, ":")+1:]
	release, _, _ := strings.Cut(strings.TrimPrefix(tag, "v"), "-")
	if release != strings.TrimPrefix(version, "v") {
		return bundle.Source{}, fmt.Errorf("%s is built from %s %s", c.image, c.component, version)
	}
	return source, nil
}

func componentVersion(dir, component string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, component, "VERSION"))
	return strings.TrimSpace(string(data)), err
}
