package spec

import (
	"slices"
	"strings"

	"bootstrap/phases/config"
)

func (s *Spec) RunsEtcd() bool { return s.Config.Etcd.External == nil && !s.Config.Box.Standalone }

// resolverFile is what the kubelet makes pods' resolv.conf from.
func (s *Spec) ResolverFile() string {
	if own, ok := s.OwnResolver(); ok {
		return own
	}
	return resolvConf(s.Facts)
}

// ownResolver is the user's choice: for the kubelet, a flag goes before its file.
func (s *Spec) OwnResolver() (file string, ok bool) {
	if flag := config.Argument(s.Config.KubeletExtraArgs, "resolv-conf"); flag != "" {
		return flag, true
	}
	file, ok = s.Config.Kubelet["resolvConf"].(string)
	return file, ok
}

// podLinks are the names of links by which pods' addresses are meant to be reached.
var podLinks = []string{"cni", "flannel", "cali", "cilium", "lxc", "veth", "kube-", "vxlan.calico", "tunl"}

func IsPodLink(link string) bool {
	return slices.Contains(NetworkLinks, link) || slices.ContainsFunc(podLinks, func(prefix string) bool { return strings.HasPrefix(link, prefix) })
}
