package e2e

// beforeInit is what a machine may hold when bootstrap comes. All of it stays as it
// is, so reset ends clean.
func beforeInit() []layout {
	return append(filesBeforeInit(), netBeforeInit()...)
}

// diskAt is an empty disk for what the cluster will write.
func diskAt(name, kind, path string) layout {
	return layout{
		name:   name,
		before: kind + " " + path + "; chmod 751 " + path,
		proof:  "tell " + path,
	}
}

// newDisks are fresh from mkfs.ext4, which leaves lost+found in them.
func newDisks() []layout {
	return []layout{
		diskAt("NewKubeletDisk", "ext4", "/var/lib/kubelet"),
		diskAt("NewEtcdDisk", "ext4", "/var/lib/etcd"),
		diskAt("NewContainerdDisk", "ext4", "/var/lib/containerd"),
		diskAt("NewLogDisk", "ext4", "/var/log/pods"),
	}
}

func filesBeforeInit() []layout {
	return []layout{
		diskAt("KubeletDisk", "ram", "/var/lib/kubelet"),
		diskAt("EtcdDisk", "ram", "/var/lib/etcd"),
		diskAt("ContainerdDisk", "ram", "/var/lib/containerd"),
		{
			name:   "PodLogsLink",
			before: "mkdir -m 750 /srv/logs; ln -s /srv/logs /var/log/pods",
			proof:  "tell /srv/logs /var/log/pods",
		},
		{
			name:   "ForeignContainerLogs",
			before: "plant /var/log/containers/canary",
			proof:  "tell /var/log/containers/canary",
			gone:   list("/var/log/containers/etcd*"),
		},
		{
			name:   "ForeignKubernetesDir",
			before: "plant /etc/kubernetes/canary; chmod 755 /etc/kubernetes; echo canary >/etc/kubernetes/canary.conf",
			proof:  "tell /etc/kubernetes",
			gone:   list("/etc/kubernetes/pki /etc/kubernetes/manifests /etc/kubernetes/*-*.conf"),
		},
		{
			name:   "FilesOfTheNamesWeWrite",
			before: "mkdir -p /etc/containerd; for f in " + namesWeWrite + "; do echo '# canary' >$f; chmod 640 $f; done",
			proof:  "same_content " + namesWeWrite,
		},
		{
			name:   "ForeignCNIPlugins",
			before: "mkdir -p /opt/cni/bin; for f in canary portmap; do echo '#!/bin/sh' >/opt/cni/bin/$f; chmod 711 /opt/cni/bin/$f; done",
			proof:  "same_content /opt/cni/bin/canary /opt/cni/bin/portmap; ls -A /opt/cni/bin",
		},
		{
			name:   "ForeignTools",
			before: "for f in kubectl etcdctl; do echo '#!/bin/sh' >/usr/local/bin/$f; chmod 711 /usr/local/bin/$f; done",
			proof:  "tell /usr/local/bin",
			gone:   list("/usr/local/bin/kubelet /usr/local/bin/containerd"),
		},
		{
			name:   "NotesBesideLedger",
			before: "plant /var/lib/bootstrap/canary",
			after:  "echo canary >/var/lib/bootstrap/notes",
			proof:  "tell /var/lib/bootstrap/canary /var/lib/bootstrap/notes",
			gone:   list("/var/lib/bootstrap/ledger"),
			remove: "rm /var/lib/bootstrap/notes",
		},
		{
			name:   "RegistryHosts",
			before: "mkdir -p /etc/containerd/certs.d/localhost:5001; echo canary >/etc/containerd/certs.d/localhost:5001/hosts.toml",
			proof:  "tell /etc/containerd/certs.d",
		},
		{
			name:   "SysctlSetByUser",
			before: "echo net.ipv4.ip_forward=1 >/etc/sysctl.d/10-canary.conf; sysctl -q net.ipv4.ip_forward=1",
			proof:  "tell /etc/sysctl.d/10-canary.conf; sysctl net.ipv4.ip_forward",
		},
		{
			name:   "ModulesOfUser",
			before: "echo overlay >/etc/modules-load.d/canary.conf",
			proof:  "tell /etc/modules-load.d/canary.conf",
		},
		{
			name:   "KubeConfigOfRoot",
			before: "mkdir /root/.kube; echo canary >/root/.kube/config; chmod 600 /root/.kube/config",
			proof:  "tell /root/.kube",
		},
		{
			name:   "DirsOfNamesLikeOurs",
			before: "plant " + namesLikeOurs,
			proof:  "tell " + namesLikeOurs,
		},
		{
			name:   "FlexVolumeDriver",
			before: "plant /usr/libexec/kubernetes/kubelet-plugins/volume/exec/canary~driver",
			proof:  "tell /usr/libexec/kubernetes",
		},
		{
			name: "UnitThatWantsKubelet",
			before: `printf '[Unit]\nWants=kubelet.service\n[Service]\nExecStart=sleep infinity\n[Install]\nWantedBy=kubelet.service\n' >/etc/systemd/system/canary-wants.service
				systemctl enable --now -q canary-wants`,
			proof: "tell /etc/systemd/system/canary-wants.service /etc/systemd/system/kubelet.service.wants; alive canary-wants",
		},
		{
			name: "ProcessesOfNamesLikeOurs",
			before: `mkdir /srv/bin; for f in etcd kube-proxy containerd-shim-runc-v2; do
				cp /usr/bin/sleep /srv/bin/$f; run canary-$f / /srv/bin/$f infinity; done`,
			proof: "for f in etcd kube-proxy containerd-shim-runc-v2; do alive canary-$f; done",
		},
		{
			name: "Cgroup",
			before: `run canary-cgroup / sleep infinity
				for h in memory pids; do
					mkdir -p /sys/fs/cgroup/$h/canary
					systemctl show -P MainPID canary-cgroup >/sys/fs/cgroup/$h/canary/cgroup.procs
				done`,
			proof: "alive canary-cgroup; ls -d /sys/fs/cgroup/{memory,pids}/canary",
		},
	}
}

// namesWeWrite were there before: reset gives them back.
const namesWeWrite = "/etc/sysctl.d/99-bootstrap.conf /etc/modules-load.d/bootstrap.conf /etc/containerd/config.toml"

// namesLikeOurs begin like what reset removes.
const namesLikeOurs = "/var/lib/etcd-other /var/lib/kubelet.old /var/log/pods.old /run/containerd.old /etc/kubernetes.old /var/lib/cni-other"

// rules prints what a user's rules are, without counters.
const rules = `sed -e 's/\[[0-9:]*\]//' -e '/^#/d'`

func netBeforeInit() []layout {
	return []layout{
		{
			name: "ChainsBefore",
			before: `for table in filter nat; do for chain in CANARY KUBE-FOREIGN CNI-FOREIGN; do
					iptables -w -t $table -N $chain
					iptables -w -t $table -A $chain -s 192.0.2.1 -j RETURN
					iptables -w -t $table -A OUTPUT -d 192.0.2.1 -m comment --comment canary -j $chain
					ip6tables -w -t $table -N $chain
				done; done`,
			proof: `for table in filter nat; do for chain in CANARY KUBE-FOREIGN CNI-FOREIGN; do
					iptables -w -t $table -S $chain; ip6tables -w -t $table -S $chain
				done; iptables -w -t $table -S OUTPUT | grep canary; done`,
			gone: "iptables-save | grep KUBE-FIREWALL || true",
		},
		{
			// The kubelet makes a chain of this name too.
			name:   "KubeletChainBefore",
			before: "iptables -w -t mangle -N KUBE-KUBELET-CANARY; iptables -w -t mangle -A KUBE-KUBELET-CANARY -s 192.0.2.1",
			proof:  "iptables -w -t mangle -S KUBE-KUBELET-CANARY",
		},
		{
			name: "LegacyRules",
			before: `for chain in CANARY KUBE-FOREIGN; do
					iptables-legacy -t nat -N $chain
					iptables-legacy -t nat -A $chain -s 192.0.2.1 -j RETURN
					iptables-legacy -t nat -A POSTROUTING -d 192.0.2.1 -j $chain
				done`,
			proof: "iptables-legacy-save | " + rules,
		},
		{
			name: "TablesBefore",
			before: `for table in 'inet canary' 'ip canary' 'ip6 canary'; do
					nft add table $table
					nft add set $table addresses "{ type ipv4_addr; elements = { 192.0.2.1 } ; }"
					nft add chain $table input "{ type filter hook input priority 5; }"
				done
				nft add rule inet canary input ip saddr @addresses counter drop`,
			proof: "for table in 'inet canary' 'ip canary' 'ip6 canary'; do nft -s list table $table; done",
		},
		{
			name: "Links",
			before: `ip link add canary0 type veth peer name canary1
				ip link add cni0 type bridge; ip link set canary1 master cni0; ip link set cni0 up
				ip address add 192.0.2.65/28 dev cni0`,
			proof: "link canary0; link canary1; link cni0; ip -o link show master cni0 | grep -o canary1; ip -4 -o address show dev cni0",
		},
		{
			name:   "NetnsBefore",
			before: "ip netns add canary; ip -n canary link set lo up; run canary-netns / ip netns exec canary sleep infinity",
			proof:  "stat -c '%n %i' /run/netns/canary; ip -n canary -o address; alive canary-netns; mounts /run/netns",
		},
	}
}
