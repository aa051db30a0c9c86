package config

import (
	"slices"
	"strings"
)

// skip takes names of phases. Those of addons are kubeadm's way to leave room for
// others: they are the cluster's, not of one run. Some of kubeadm's phases have no part here,
// as init has nothing for them to do, or keeps the files that it finds.
func (b *builder) skip(c *Config, names []string) {
	for i, name := range names {
		phase, _, _ := strings.Cut(name, "/")
		switch {
		case name == "addon":
			c.DNSDisabled, c.ProxyDisabled = true, true
		case name == "addon/coredns":
			c.DNSDisabled = true
		case name == "addon/kube-proxy":
			c.ProxyDisabled = true
		case name == "etcd/local":
			c.SkipPhases = append(c.SkipPhases, phase)
		case slices.Contains(noPhases, name):
			b.warn(at("skipPhases", i), "passed over: %s is a phase of kubeadm's that bootstrap init has not", name)
		case slices.Contains(partPhases, name):
			b.warn(at("skipPhases", i), "passed over: phase %s is left out as a whole, or not", phase)
		default:
			c.SkipPhases = append(c.SkipPhases, name)
		}
	}
}

// The phases of kubeadm init that bootstrap init has not, or has only as a whole. Not among
// them are the parts of control-plane: what leaves one out wants another API server than ours.
var (
	noPhases   = []string{"addon/all", "kubelet-finalize", "kubelet-finalize/all", "kubelet-finalize/enable-client-cert-rotation", "show-join-command"}
	partPhases = []string{
		"certs/all", "certs/apiserver", "certs/apiserver-etcd-client", "certs/apiserver-kubelet-client", "certs/ca", "certs/etcd-ca",
		"certs/etcd-healthcheck-client", "certs/etcd-peer", "certs/etcd-server", "certs/front-proxy-ca", "certs/front-proxy-client", "certs/sa",
		"control-plane/all", "kubeconfig/admin", "kubeconfig/all", "kubeconfig/controller-manager", "kubeconfig/kubelet", "kubeconfig/scheduler", "kubeconfig/super-admin",
		"upload-config/all", "upload-config/kubeadm", "upload-config/kubelet",
	}
)
