package spec

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"bootstrap/phases/bundle"
	"bootstrap/phases/config"
)

// BootstrapPolicy is the roles that this Kubernetes' API server makes when it first starts.
const BootstrapPolicy = "bootstrap-policy.yaml"

// netfilterTree is nft and iptables, which kube-proxy and flannel call.
const netfilterTree = "netfilter/root"

// contents is what a bundle holds, without versions, as paths below a folder that has one folder
// per component. Images come in the order that init needs them.
func contents(i config.Images) []bundle.Source {
	binary, cni, image := bundle.Binary, bundle.CNI, bundle.Image
	plugins := []string{"cni/bridge", "cni/host-local", "cni/loopback", "cni/portmap", "cni-install/cni-install"}
	return []bundle.Source{
		{Kind: binary, Name: "containerd", File: "containerd/containerd"},
		{Kind: binary, Name: "containerd-shim-runc-v2", File: "containerd/containerd-shim-runc-v2"},
		{Kind: binary, Name: "ctr", File: "containerd/ctr"},
		{Kind: binary, Name: "runc", File: "runc/runc"},
		{Kind: cni, Name: "bridge", File: "cni/bridge"},
		{Kind: cni, Name: "host-local", File: "cni/host-local"},
		{Kind: cni, Name: "loopback", File: "cni/loopback"},
		{Kind: cni, Name: "portmap", File: "cni/portmap"},
		{Kind: binary, Name: "kubelet", File: "kubernetes/kubelet"},
		{Kind: binary, Name: "kubectl", File: "kubernetes/kubectl"},
		{Kind: bundle.Objects, Name: BootstrapPolicy, File: "kubernetes/" + BootstrapPolicy},
		{Kind: binary, Name: "etcdctl", File: "etcd/etcdctl"},
		{Kind: binary, Name: "etcdutl", File: "etcd/etcdutl"},
		{Kind: image, Name: i.Pause, File: "pause/pause"},
		{Kind: image, Name: i.Etcd, File: "etcd/etcd"},
		{Kind: image, Name: i.APIServer, File: "kubernetes/kube-apiserver"},
		{Kind: image, Name: i.ControllerManager, File: "kubernetes/kube-controller-manager"},
		{Kind: image, Name: i.Scheduler, File: "kubernetes/kube-scheduler"},
		{Kind: image, Name: i.Network, File: "flannel/flanneld", More: plugins, Tree: netfilterTree},
		{Kind: image, Name: i.Proxy, File: "kubernetes/kube-proxy", Tree: netfilterTree},
		{Kind: image, Name: i.CoreDNS, File: "coredns/coredns"},
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
	for _, s := range contents(config.NewImages(config.DefaultImageRepository, kubernetes)) {
		found, err := findSource(dir, s)
		if err != nil {
			return "", nil, err
		}
		sources = append(sources, found)
	}
	return kubernetes, sources, nil
}

func findSource(dir string, s bundle.Source) (_ bundle.Source, err error) {
	component := filepath.Dir(s.File)
	if s.Version, err = componentVersion(dir, component); err != nil {
		return s, err
	}
	s.File = filepath.Join(dir, s.File)
	for i, program := range s.More {
		s.More[i] = filepath.Join(dir, program)
	}
	if s.Tree != "" {
		s.Tree = filepath.Join(dir, s.Tree)
	}
	tag := s.Name[strings.LastIndex(s.Name, ":")+1:]
	release, _, _ := strings.Cut(strings.TrimPrefix(tag, "v"), "-")
	if s.Kind == bundle.Image && release != strings.TrimPrefix(s.Version, "v") {
		return s, fmt.Errorf("%s is built from %s %s", s.Name, component, s.Version)
	}
	return s, nil
}

func componentVersion(dir, component string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, component, "VERSION"))
	return strings.TrimSpace(string(data)), err
}
