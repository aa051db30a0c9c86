package spec

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
	program   string // or file
	image     string // full reference, of images only

	// Of images only: what lies in them besides, as paths below the components' folder.
	more []string
	tree string
}

// BootstrapPolicy is the roles that this Kubernetes' API server makes when it first starts.
const BootstrapPolicy = "bootstrap-policy.yaml"

// netfilterTree is nft and iptables, which kube-proxy and flannel call.
const netfilterTree = "netfilter/root"

// contents is what a bundle holds. Images come in the order that init needs them.
func contents(i config.Images) []content {
	binary, cni, image := bundle.Binary, bundle.CNI, bundle.Image
	plugins := []string{"cni/bridge", "cni/host-local", "cni/loopback", "cni/portmap", "cni-install/cni-install"}
	return []content{
		{kind: binary, component: "containerd", program: "containerd"},
		{kind: binary, component: "containerd", program: "containerd-shim-runc-v2"},
		{kind: binary, component: "containerd", program: "ctr"},
		{kind: binary, component: "runc", program: "runc"},
		{kind: cni, component: "cni", program: "bridge"},
		{kind: cni, component: "cni", program: "host-local"},
		{kind: cni, component: "cni", program: "loopback"},
		{kind: cni, component: "cni", program: "portmap"},
		{kind: binary, component: "kubernetes", program: "kubelet"},
		{kind: binary, component: "kubernetes", program: "kubectl"},
		{kind: bundle.Objects, component: "kubernetes", program: BootstrapPolicy},
		{kind: binary, component: "etcd", program: "etcdctl"},
		{kind: binary, component: "etcd", program: "etcdutl"},
		{kind: image, component: "pause", program: "pause", image: i.Pause},
		{kind: image, component: "etcd", program: "etcd", image: i.Etcd},
		{kind: image, component: "kubernetes", program: "kube-apiserver", image: i.APIServer},
		{kind: image, component: "kubernetes", program: "kube-controller-manager", image: i.ControllerManager},
		{kind: image, component: "kubernetes", program: "kube-scheduler", image: i.Scheduler},
		{kind: image, component: "flannel", program: "flanneld", image: i.Network, more: plugins, tree: netfilterTree},
		{kind: image, component: "kubernetes", program: "kube-proxy", image: i.Proxy, tree: netfilterTree},
		{kind: image, component: "coredns", program: "coredns", image: i.CoreDNS},
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
	for _, program := range c.more {
		source.More = append(source.More, filepath.Join(dir, program))
	}
	if c.tree != "" {
		source.Tree = filepath.Join(dir, c.tree)
	}
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
