package spec

import (
	"slices"

	"bootstrap/phases/netfilter"
)

// What the kubelet, containerd and the network plugin make while they run, for reset to remove.
// Links and mounts are looked for by these names. Rules and folders are recorded in the ledger
// before the daemons start, and then what came since goes.
var (
	// DaemonRules are made by the kubelet, kube-proxy, flannel and the CNI plugins.
	DaemonRules = netfilter.Names{
		Chains: []string{"KUBE-", "CNI-", "FLANNEL-"},
		Tables: slices.Concat(proxyTables, flannelTables, pluginTables),
	}
	proxyTables   = []string{"ip kube-proxy", "ip6 kube-proxy"}
	flannelTables = []string{"ip flannel-ipv4", "ip6 flannel-ipv6"}
	pluginTables  = []string{"inet cni_plugins_masquerade", "ip cni_hostport", "ip6 cni_hostport"}
	// NetworkLinks are made by the bridge plugin and flannel.
	NetworkLinks = []string{BridgeName, "flannel.1", "flannel-v6.1"}
	// KubeletMounts, as the other patterns here, name each level: what others mount a level
	// higher or lower is theirs.
	KubeletMounts = []string{
		KubeletDir + "/pods/*/volumes/*/*", KubeletDir + "/pods/*/volumes/kubernetes.io~csi/*/mount",
		KubeletDir + "/pods/*/volume-subpaths/*/*/*", KubeletDir + "/plugins/kubernetes.io/csi/*/*/globalmount",
	}
	ContainerdMounts = []string{
		"/run/containerd/io.containerd.runtime.v2.task/k8s.io/*/rootfs", "/run/containerd/io.containerd.grpc.v1.cri/sandboxes/*/shm",
		"/run/containerd/io.containerd.grpc.v1.cri/image-volumes/*/*", ContainerdDir + "/tmpmounts/*",
	}
	NetworkMounts = []string{"/run/netns/cni-*"}
)

// TakenRules are what kube-proxy and flannel take for their own, whoever made them: they would
// empty and fill them, and reset could not tell whose is what. kubeadm reset leaves kube-proxy's
// behind.
func (s *Spec) TakenRules() netfilter.Names {
	var taken netfilter.Names
	switch {
	case s.Config.ProxyDisabled:
	case proxyMode(s.Config, s.Facts) == "nftables":
		taken.Tables = slices.Clone(proxyTables)
	default:
		taken.Chains = []string{"KUBE-SERVICES", "KUBE-PROXY-"}
	}
	switch {
	case !s.Choices.Network.Own():
	case s.Facts.NFTables:
		taken.Tables = append(taken.Tables, flannelTables...)
	default:
		taken.Chains = append(taken.Chains, "FLANNEL-")
	}
	return taken
}

// OwnTable is a table of nftables that a pod of ours writes when it starts, and looks after an hour later, or never.
type OwnTable struct {
	Workload  string // the DaemonSet of the pod
	Container string
	Table     string // with its family
	Chain     string // what the same program has in place of it where it uses iptables: a prefix
}

// OwnTables are those of this node's first family, as far as its pods use nftables.
func (s *Spec) OwnTables() (all []OwnTable) {
	family := 0
	if s.Config.AdvertiseAddress.Is6() {
		family = 1
	}
	if !s.Config.ProxyDisabled && proxyMode(s.Config, s.Facts) == "nftables" {
		all = append(all, OwnTable{"kube-proxy", "kube-proxy", proxyTables[family], "KUBE-SERVICES"})
	}
	if s.Choices.Network.Own() && s.Facts.NFTables {
		all = append(all, OwnTable{"kube-flannel-ds", "flanneld", flannelTables[family], "FLANNEL-"})
	}
	return all
}

// NetworkOnline is what kubelet.service waits for at boot. Started by name, it stands
// in the ledger, and reset stops it where it did not run before.
const NetworkOnline = "network-online.target"

// The folders that daemons fill.
var (
	ContainerdTrees = []string{ContainerdDir, "/run/containerd", "/run/nri", "/opt/containerd", "/var/lib/cni", "/run/cni", "/run/netns"}
	KubeletTrees    = []string{KubeletDir, PodLogDir, "/var/log/containers", "/usr/libexec/kubernetes", "/run/kubernetes"}
	FlannelTree     = "/run/flannel"
	HostLocalTree   = "/var/lib/cni/networks/bootstrap" // addresses that are taken in our network
	// LogindDropIn is written by a kubelet that delays the machine's shutdown. logind keeps the setting until it
	// is started anew, where nobody delays a shutdown any more.
	LogindDropIn = "/etc/systemd/logind.conf.d/99-kubelet.conf"
	// CNIDirs are made when the first pod gets an address. Where the runtime is not ours, reset
	// removes them only if they are empty.
	CNIDirs = []string{"/run/netns", "/var/lib/cni/networks", "/var/lib/cni/results"}
)
