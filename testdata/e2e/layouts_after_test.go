package e2e

import "fmt"

// fileIn is a foreign file in a directory that bootstrap made, after init.
func fileIn(name, dir, file string) layout {
	path := dir + "/" + file
	return layout{
		name:   name,
		after:  fmt.Sprintf("echo canary >%s; chown 4242:4343 %[1]s; chmod 640 %[1]s", path),
		proof:  "tell " + path,
		left:   []leftover{{dir, file}},
		remove: "rm " + path,
	}
}

// staticPod is a pod made by hand, with the image that the node has for sure.
const staticPod = `apiVersion: v1
kind: Pod
metadata: {name: canary, namespace: default}
spec:
  containers: [{name: canary, image: "$(ctr -n k8s.io images ls -q | grep /pause:)", imagePullPolicy: Never}]
`

// inOurPlaces is what users do to a cluster that runs.
func inOurPlaces() []layout {
	return append(filesInOurPlaces(), netAfterInit()...)
}

const immutable = "/var/lib/kubelet/canary-immutable"

func filesInOurPlaces() []layout {
	return []layout{
		{
			name:  "StaticPodByHand",
			after: "cat >/etc/kubernetes/manifests/canary.yaml <<END\n" + staticPod + "END\nuntil_ok sh -c 'ctr -n k8s.io containers ls | grep -q canary || ip link show bootstrap0'",
			proof: "tell /etc/kubernetes/manifests/canary.yaml",
			gone:  list("/var/log/pods/default_canary*") + "; ip -o link show dev bootstrap0 2>/dev/null || true",
			left:  []leftover{{"/etc/kubernetes/manifests", "canary.yaml"}},

			remove: "rm /etc/kubernetes/manifests/canary.yaml",
		},
		{
			name:   "DirInKubernetesDir",
			after:  "plant /etc/kubernetes/canary",
			proof:  "tell /etc/kubernetes/canary",
			left:   []leftover{{"/etc/kubernetes", "canary"}},
			remove: "rm -r /etc/kubernetes/canary",
		},
		fileIn("KubeconfigInKubernetesDir", "/etc/kubernetes", "theirs.conf"),
		fileIn("KeyInPKI", "/etc/kubernetes/pki", "theirs.key"),
		fileIn("DropInOfKubelet", "/etc/systemd/system/kubelet.service.d", "20-foreign.conf"),
		fileIn("CNIConf", "/etc/cni/net.d", "99-foreign.conf"),
		fileIn("CNIPlugin", "/opt/cni/bin", "foreign"),
		{
			name:   "RegistryHostsAfter",
			after:  "plant /etc/containerd/certs.d/localhost:5001",
			proof:  "tell /etc/containerd/certs.d/localhost:5001",
			left:   []leftover{{"/etc/containerd", "certs.d"}},
			remove: "rm -r /etc/containerd/certs.d",
		},
		{
			name:   "SysctlAndModulesOfUser",
			after:  "echo vm.swappiness=60 >/etc/sysctl.d/50-canary.conf; echo overlay >/etc/modules-load.d/canary.conf",
			proof:  "tell /etc/sysctl.d/50-canary.conf /etc/modules-load.d/canary.conf",
			remove: "rm /etc/sysctl.d/50-canary.conf /etc/modules-load.d/canary.conf",
		},
		{
			name:   "OurFileEditedInForeignDir",
			after:  "echo '# canary' >>/etc/sysctl.d/99-bootstrap.conf",
			proof:  "tell /etc/sysctl.d/99-bootstrap.conf",
			left:   []leftover{{"/etc/sysctl.d/99-bootstrap.conf", "changed"}},
			remove: "rm /etc/sysctl.d/99-bootstrap.conf",
		},
		{
			name:  "OurFileEditedInOurDir",
			after: "echo '# canary' >>/etc/kubernetes/scheduler.conf",
			gone:  list("/etc/kubernetes/scheduler.conf"),
		},
		{
			name:   "EtcdMovedToOtherDisk",
			after:  "mv /var/lib/etcd /srv/etcd; ln -s /srv/etcd /var/lib/etcd; plant /srv/etcd/canary",
			proof:  "tell /var/lib/etcd /srv/etcd/canary",
			left:   []leftover{{"/var/lib/etcd", "link"}},
			remove: "rm /var/lib/etcd; rm -r /srv/etcd",
		},
		{
			name: "LinksInTrees",
			after: `plant /srv/linked
				for tree in ` + linkTrees + `; do ln -s /srv/linked $tree/linked-dir; ln -s /srv/linked/data $tree/linked-data; ln -s / $tree/linked-root; done`,
			proof:  "tell /srv/linked",
			gone:   "for tree in " + linkTrees + "; do ls -d $tree/linked-* 2>/dev/null || true; done",
			remove: "rm -r /srv/linked",
		},
		{
			name:   "HardLinkInTree",
			after:  "plant /srv/hard; ln /srv/hard/data /var/lib/kubelet/hard; ln /srv/hard/data /var/log/pods/hard",
			proof:  "same_content /srv/hard/data",
			gone:   list("/var/lib/kubelet/hard /var/log/pods/hard"),
			remove: "rm -r /srv/hard",
		},
		{
			name: "ClosedAndOddFilesInTree",
			after: `plant /var/lib/kubelet/closed-canary; mkfifo /var/lib/kubelet/fifo; mknod /var/lib/kubelet/null c 1 3
				chmod 000 /var/lib/kubelet/closed-canary; chmod 000 /var/lib/kubelet/pods`,
			gone: list("/var/lib/kubelet/closed-canary /var/lib/kubelet/fifo /var/lib/kubelet/null"),
		},
		{
			name:   "ClosedDirOutside",
			after:  "plant /srv/closed; chmod 000 /srv/closed; ln -s /srv/closed /var/lib/kubelet/to-closed",
			proof:  "tell /srv/closed",
			gone:   list("/var/lib/kubelet/to-closed"),
			remove: "rm -r /srv/closed",
		},
		{
			name: "ImmutableFiles",
			after: "mkdir -p " + immutable + "/dir " + immutable + "/goes; cd " + immutable + `
				echo canary >file; echo canary >log; echo canary >dir/file; touch goes/file; chattr +i file dir; chattr +a log`,
			proof:  "cd " + immutable + "; tell file log dir; lsattr -d file log dir",
			gone:   list(immutable + "/goes"),
			left:   []leftover{{immutable + "/file", "immutable"}, {immutable + "/log", "marked"}, {immutable + "/dir", "immutable"}},
			remove: "chattr -i -a " + immutable + "/*",
		},
		{
			name:   "ImmutableFileOfOurs",
			after:  "chattr +i /etc/kubernetes/admin.conf",
			proof:  "same_content /etc/kubernetes/admin.conf",
			left:   []leftover{{"/etc/kubernetes/admin.conf", "immutable"}},
			remove: "chattr -i /etc/kubernetes/admin.conf",
		},
	}
}

const linkTrees = "/var/lib/kubelet /var/lib/containerd /var/lib/cni /var/log/pods /run/containerd"

// A table in which there are rules of others stays, so they remove it at last.
func netAfterInit() []layout {
	return []layout{
		{
			name: "RulesBesideOurs",
			after: `iptables -w -N CANARY; iptables -w -A CANARY -s 192.0.2.1 -j DROP
				iptables -w -I OUTPUT -d 192.0.2.1 -m comment --comment canary -j CANARY
				iptables -w -A INPUT -d 192.0.2.2 -m comment --comment 'canary -j KUBE-FIREWALL' -j RETURN
				iptables -w -t nat -N MY-KUBE-CANARY; iptables -w -t nat -A MY-KUBE-CANARY -s 192.0.2.1 -j RETURN
				iptables -w -t nat -A POSTROUTING -s 192.0.2.1 -m comment --comment canary -j MY-KUBE-CANARY`,
			proof: "iptables -w -S CANARY; iptables -w -t nat -S MY-KUBE-CANARY; iptables-save | grep -- '--comment.*canary'",
			gone:  "iptables-save | grep -E '^:(KUBE|CNI)-' || true",
			remove: `iptables -w -D OUTPUT -d 192.0.2.1 -m comment --comment canary -j CANARY; iptables -w -F CANARY; iptables -w -X CANARY
				iptables -w -D INPUT -d 192.0.2.2 -m comment --comment 'canary -j KUBE-FIREWALL' -j RETURN
				iptables -w -t nat -D POSTROUTING -s 192.0.2.1 -m comment --comment canary -j MY-KUBE-CANARY
				iptables -w -t nat -F MY-KUBE-CANARY; iptables -w -t nat -X MY-KUBE-CANARY`,
		},
		{
			name: "JumpsToChainsOfKubeProxy",
			after: `for ipt in iptables ip6tables; do
					$ipt -w -t nat -N KUBE-SERVICES; $ipt -w -t nat -N KUBE-SVC-CANARY; $ipt -w -t nat -A KUBE-SERVICES -p tcp --dport 80 -j KUBE-SVC-CANARY
					$ipt -w -t nat -I PREROUTING -m comment --comment 'kubernetes service portals' -j KUBE-SERVICES
					$ipt -w -t nat -N CANARY-JUMPS
					$ipt -w -t nat -A CANARY-JUMPS -p tcp --dport 81 -g KUBE-SERVICES
					$ipt -w -t nat -A CANARY-JUMPS -p tcp --dport 82 -j RETURN
				done`,
			proof: `for ipt in iptables ip6tables; do $ipt -w -t nat -S CANARY-JUMPS | grep -v KUBE-; done`,
			gone:  "for save in iptables-save ip6tables-save; do $save | grep -E 'KUBE-S' || true; done",
			remove: `for ipt in iptables ip6tables; do $ipt -w -t nat -F CANARY-JUMPS; $ipt -w -t nat -X CANARY-JUMPS; done
				nft delete table ip nat; nft delete table ip6 nat`,
		},
		{
			// iptables cannot show a table that holds such a rule.
			name: "NativeRulesInTheSameTable",
			after: `nft add set ip filter canary-set '{ type ipv4_addr; elements = { 192.0.2.1 }; }'
				nft add chain ip filter canary-native; nft add rule ip filter canary-native ip saddr @canary-set counter drop
				nft add rule ip filter OUTPUT ip daddr @canary-set counter jump canary-native`,
			proof: `nft -s list set ip filter canary-set; nft -s list chain ip filter canary-native; nft -s list chain ip filter OUTPUT | grep canary-set`,
			gone:  "nft list table ip filter | grep KUBE-FIREWALL || true",
			remove: `nft delete rule ip filter OUTPUT handle $(nft -a list chain ip filter OUTPUT | sed -n 's/.*canary-set.*# handle //p')
				nft delete chain ip filter canary-native; nft delete set ip filter canary-set; nft delete table ip filter`,
		},
		{
			name: "TablesAfter",
			after: `nft add table inet canary; nft add chain inet canary input '{ type filter hook input priority 5; }'
				nft add rule inet canary input ip saddr 192.0.2.1 counter drop; nft add table ip kube-proxy-canary
				nft add table ip kube-proxy; nft add chain ip kube-proxy services`,
			proof:  "nft -s list table inet canary; nft -s list table ip kube-proxy-canary",
			gone:   "nft list table ip kube-proxy 2>/dev/null || true",
			remove: "nft delete table inet canary; nft delete table ip kube-proxy-canary",
		},
		{
			// A user's virtual machine on the pods' network.
			name:   "LinkOnOurBridge",
			after:  "ip link add canary0 type veth peer name canary1; until_ok ip link set canary0 master bootstrap0; ip link set canary0 up",
			proof:  "link canary0; link canary1",
			gone:   "ip -o link show dev bootstrap0 2>/dev/null || true",
			remove: "ip link del canary0",
		},
		{
			name:   "NetnsAfter",
			after:  "ip netns add canary; run canary-netns / ip netns exec canary sleep infinity",
			proof:  "stat -c '%n %i' /run/netns/canary; ip -n canary -o link; alive canary-netns; mounts /run/netns",
			gone:   list("/run/netns/cni-*"),
			left:   []leftover{{"/run/netns", "mount"}},
			remove: "systemctl stop canary-netns; ip netns del canary; umount /run/netns",
		},
	}
}

// keptRuntime: with a user's containers in it, a containerd of ours stays.
func keptRuntime() []layout {
	return []layout{
		sandboxOf("SandboxInOurRuntime"),
		otherNamespace(),
	}
}

func otherNamespace() layout {
	return layout{
		name: "OtherContainerdNamespace",
		after: `image=$(ctr -n k8s.io images ls -q | grep /pause:)
			ctr -n k8s.io images export --local /tmp/e2e/pause.tar $image
			ctr -n canary images import /tmp/e2e/pause.tar >/dev/null
			ctr -n canary run --null-io -d $image theirs`,
		proof: `ctr -n canary tasks ls; ctr -n canary containers ls; ctr -n canary images ls -q; alive containerd
			same_content /usr/local/bin/{containerd,containerd-shim-runc-v2,runc} /etc/containerd/config.toml`,
		gone:   "pgrep -x 'etcd|kube-apiserver|kubelet' || true",
		left:   []leftover{{"containerd", "canary"}},
		remove: "ctr -n canary tasks delete -f theirs; ctr -n canary containers delete theirs; ctr -n canary images rm $(ctr -n canary images ls -q); find /sys/fs/cgroup -depth -type d -name canary -exec rmdir {} +",
	}
}

// stoppedRuntime: a user's containers run on without the containerd that made them.
func stoppedRuntime() []layout {
	running := otherNamespace()
	return []layout{{
		name:   "OtherNamespaceWithoutContainerd",
		after:  running.after + "; systemctl stop containerd",
		proof:  "pgrep -f '[c]ontainerd-shim-runc-v2 -namespace canary'; same_content /usr/local/bin/{containerd,containerd-shim-runc-v2,runc} /etc/containerd/config.toml",
		gone:   running.gone,
		left:   running.left,
		remove: "systemctl start containerd; " + running.remove,
	}}
}

// movedAndCovered are places of ours that a user links or mounts something over.
func movedAndCovered() []layout {
	const pki = "/etc/kubernetes/pki/etcd"
	return []layout{
		{
			name:   "EtcdLink",
			before: "mkdir -p /srv/disk; mkdir -m 750 /srv/disk/etcd; ln -s /srv/disk/etcd /var/lib/etcd",
			proof:  "tell /srv/disk /var/lib/etcd",
		},
		{
			name: "OwnCA",
			before: `mkdir -p /etc/kubernetes/pki; cd /etc/kubernetes/pki
				openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=canary -days 3650 -keyout ca.key -out ca.crt \
					-addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature 2>/dev/null
				chmod 600 ca.key`,
			proof: "tell /etc/kubernetes/pki/ca.crt /etc/kubernetes/pki/ca.key",
			gone:  list("/etc/kubernetes/pki/apiserver.crt"),
		},
		{
			name:   "DiskOverKubeletDir",
			after:  "systemctl stop kubelet; ram /var/lib/kubelet; plant /var/lib/kubelet/pods /var/lib/kubelet/pki; echo canary >/var/lib/kubelet/config.yaml",
			proof:  "tell /var/lib/kubelet",
			left:   []leftover{{"/var/lib/kubelet", "mount"}},
			remove: "umount /var/lib/kubelet",
		},
		{
			name:   "DiskOverPKI",
			after:  "names=$(ls " + pki + "); ram " + pki + "; for f in $names; do echo canary $f >" + pki + "/$f; done",
			proof:  "tell " + pki,
			left:   []leftover{{pki, "mount"}},
			remove: "umount " + pki,
		},
		{
			name:   "DiskOverNetworkDir",
			after:  "ram /etc/cni/net.d; echo canary >/etc/cni/net.d/10-bootstrap.conflist",
			proof:  "tell /etc/cni/net.d",
			left:   []leftover{{"/etc/cni/net.d", "mount"}},
			remove: "umount /etc/cni/net.d",
		},
		{
			name:   "PluginDirMoved",
			after:  "mv /opt/cni/bin /srv/plugins; ln -s /srv/plugins /opt/cni/bin; echo canary >/srv/plugins/bridge",
			proof:  "tell /opt/cni/bin /srv/plugins",
			left:   []leftover{{"/opt/cni/bin", "link"}},
			remove: "rm /opt/cni/bin; rm -r /srv/plugins",
		},
		{
			// systemctl disable removes such a link, not what it leads to.
			name:   "UnitReplacedByLink",
			after:  "mv /etc/systemd/system/kubelet.service /srv/kubelet.service; ln -s /srv/kubelet.service /etc/systemd/system/kubelet.service; systemctl daemon-reload",
			proof:  "tell /srv/kubelet.service",
			gone:   list("/etc/systemd/system/kubelet.service.d"),
			remove: "rm /srv/kubelet.service",
		},
	}
}
