package phases

import (
	"context"
	"errors"
	"slices"

	"bootstrap/phases/netfilter"
)

// What the kubelet, containerd and the network plugin make while they run, and where:
// the one list of what reset removes without a record of each thing.
var (
	// daemonRules are made by the kubelet, kube-proxy, flannel and the CNI plugins.
	daemonRules = netfilter.Names{
		Chains: []string{"KUBE-", "CNI-", "FLANNEL-"},
		Tables: slices.Concat(proxyTables, flannelTables, pluginTables),
	}
	proxyTables   = []string{"ip kube-proxy", "ip6 kube-proxy"}
	flannelTables = []string{"ip flannel-ipv4", "ip6 flannel-ipv6"}
	pluginTables  = []string{"inet cni_plugins_masquerade", "ip cni_hostport", "ip6 cni_hostport"}
	// networkLinks are made by the bridge plugin and flannel.
	networkLinks = []string{bridgeName, "flannel.1", "flannel-v6.1"}
	// Exact to the last name: what others mount a level higher or lower is theirs.
	kubeletMounts = []string{
		kubeletDir + "/pods/*/volumes/*/*", kubeletDir + "/pods/*/volumes/kubernetes.io~csi/*/mount",
		kubeletDir + "/pods/*/volume-subpaths/*/*/*", kubeletDir + "/plugins/kubernetes.io/**/globalmount",
	}
	containerdMounts = []string{
		"/run/containerd/io.containerd.runtime.v2.task/k8s.io/*/rootfs", "/run/containerd/io.containerd.grpc.v1.cri/sandboxes/*/shm",
		"/run/containerd/io.containerd.grpc.v1.cri/image-volumes/*/*", containerdDir + "/tmpmounts/*",
	}
	networkMounts = []string{"/run/netns/cni-*"}
)

var removeLeftovers = Phase{
	Name:  "remove-leftovers",
	Short: "remove the processes, mounts, links and cgroups that the kubelet, containerd and the network plugin left",
	Run:   runRemoveLeftovers,
}

func runRemoveLeftovers(ctx context.Context, env *Env) error {
	var errs []error
	var mounts []string
	if _, used := env.usedRuntime(); used {
		_, err := env.Host.RemoveSlice(ctx, "kubepods.slice", "cri-containerd-*.scope")
		errs = append(errs, err)
		mounts = append(mounts, kubeletMounts...)
	}
	if env.ownsRuntime() && !env.Keep.Runtime && env.foreignContainers(ctx) == nil {
		mounts = slices.Concat(mounts, containerdMounts, networkMounts)
	}
	errs = append(errs, env.Host.UnmountLeft(ctx, mounts))
	if env.made(networkFile) {
		// Side by side: the kernel lets a link go only when no CPU looks at it any more.
		errs = append(errs, each(len(networkLinks), len(networkLinks), func(i int) error {
			_, err := env.Host.RemoveLink(networkLinks[i])
			return err
		}))
	}
	return errors.Join(errs...)
}
