package diagnose

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"bootstrap/phases/machine"
)

// goodMachine is one on which nothing is found.
func goodMachine() *Machine {
	now := time.Date(2026, 11, 25, 4, 0, 0, 0, time.UTC)
	address := netip.MustParseAddr("192.0.2.10")
	disk := Disk{Disk: machine.Disk{Device: 1, Type: "ext4", Size: 40 << 30, Free: 30 << 30, Available: 28 << 30, Inodes: 1 << 20, FreeInodes: 1 << 19}, SyncP99: 2 * time.Millisecond, Syncs: 300}
	etcd, images, programs, kubelet := disk, disk, disk, disk
	etcd.Path, etcd.Use, etcd.Daemon, etcd.Needs = "/var/lib/etcd", "etcd's data", "etcd", 160*mib
	kubelet.Path, kubelet.Use, kubelet.Daemon = "/var/lib/kubelet", "the kubelet", "kubelet"
	images.Path, images.Use, images.Needs = "/var/lib/containerd", "images", 900*mib
	programs.Path, programs.Use, programs.Programs = "/usr/local/bin", "programs", true
	return &Machine{
		Now: now,
		Settings: Settings{
			NodeName: "node-1", AdvertiseAddress: address, EtcdDataDir: "/var/lib/etcd", Components: []string{"etcd", "kube-apiserver"},
			ServiceSubnets: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12")}, PodSubnets: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")},
			Endpoint: "api.example:6443",
		},
		System: System{
			Facts: machine.Facts{Systemd: true, CPUs: 2, Memory: 2 << 30, Kernel: "6.12.0", CgroupVersion: 2},
			Read:  true, OOMScores: true, Controllers: []string{"cpu", "cpuset", "io", "memory", "pids"},
		},
		Disks:   []Disk{etcd, images, programs, kubelet},
		Clock:   Clock{Built: now.AddDate(-1, 0, 0), Marks: []Mark{{What: "the last record in the ledger", At: now.Add(-time.Hour), Firm: true}}},
		Limits:  Limits{Inotify: machine.Inotify{MaxInstances: 128, Left: 16, MaxWatches: 65536}, InotifyAsked: 16, OpenFiles: 2000, MaxOpenFiles: 100000, StrictLinks: []string{"eth0"}},
		Modules: []Module{{Name: "overlay", Need: "containerd", Required: true, State: machine.ModuleThere}, {Name: "vxlan", Need: "the pod network"}},
		Network: Network{
			Addresses: []machine.LinkAddress{{Link: "eth0", Address: address}, {Link: "docker0", Address: netip.MustParseAddr("172.17.0.1"), Containers: true}},
			Defaults:  []string{"eth0"}, Routes: []machine.Route{{To: netip.MustParsePrefix("192.0.2.0/24"), Link: "eth0"}},
		},
		Resolver: Resolver{Read: true, File: "/etc/resolv.conf", Servers: []netip.Addr{netip.MustParseAddr("192.0.2.1")}},
		Name:     Name{Hostname: "node-1", Looked: true, Resolves: []netip.Addr{netip.MustParseAddr("127.0.1.1")}},
		Endpoint: Endpoint{Looked: true, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.99")}, Dial: Refused},
		Foreign:  Foreign{HostPorts: []int{6443}},
		PodURL:   PodURL{URL: "https://pods.example/", Header: true},
		CRI:      CRI{Socket: "/run/containerd/containerd.sock", Name: "containerd", Version: "2.2.0"},
		External: []ExternalEtcd{{URL: "https://a:2379", Version: "3.6.8"}, {URL: "https://b:2379", Version: "3.5.0"}},
	}
}

// machineCase makes one check find something.
type machineCase struct {
	id     string
	level  Level
	change func(*Machine)
	says   string
}

var machineCases = []machineCase{
	{"loopback-down", Error, func(m *Machine) { m.Network.LoopbackDown = true }, "lo, is down"},
	{"no-systemd", Error, func(m *Machine) { m.System.Systemd = false }, "systemd does not run this machine"},
	{"few-cpus", Warning, func(m *Machine) { m.System.CPUs = 1 }, "1 CPU: "},
	{"little-memory", Warning, func(m *Machine) { m.System.Memory = 1700*mib - 1 }, "1699 MiB of memory: "},
	{"old-kernel", Warning, func(m *Machine) { m.System.Kernel = "4.18.0-553.el8" }, "4.18.0-553.el8"},
	{"swap-on", Warning, func(m *Machine) { m.System.Swap = true }, "swap is on: "},
	{"no-oom-scores", Warning, func(m *Machine) { m.System.OOMScores = false }, "no CAP_SYS_RESOURCE: "},
	{"selinux-enforcing", Warning, func(m *Machine) { m.System.SELinux = true }, "SELinux is enforcing"},
	{"program-missing", Error, func(m *Machine) { m.System.Lacks = []string{"mount"} }, "the program mount"},

	{"no-cgroups", Error, func(m *Machine) { m.System.CgroupVersion, m.System.Controllers = 0, nil }, "/sys/fs/cgroup"},
	{"cgroup-v1", Warning, func(m *Machine) { m.System.CgroupVersion = 1 }, "cgroup version 1: "},
	{"cgroup-controller-missing", Error, func(m *Machine) { m.System.Controllers = []string{"cpu", "cpuset", "pids"} }, "no cgroup controller for memory"},
	{"cgroup-controller-missing", Warning, func(m *Machine) { m.System.Controllers = []string{"cpu", "memory"} }, "for pids"},

	{"disk-read-only", Error, func(m *Machine) { m.Disks[1].ReadOnly = true }, "/var/lib/containerd, for images, lies on a file system that is mounted read-only"},
	{"kubelet-disk-read-only", Error, func(m *Machine) { m.Disks[3].ReadOnly = true }, "/var/lib/kubelet, for the kubelet, lies"},
	{"kubelet-disk-full", Error, func(m *Machine) { m.Disks[3].Device, m.Disks[3].Free = 2, 0 }, "/var/lib/kubelet, for the kubelet, has 0 MiB free"},
	{"etcd-disk-full", Error, func(m *Machine) { m.Disks[0].Device, m.Disks[0].Free = 2, 100*mib }, "/var/lib/etcd, for etcd's data, has 100 MiB free: init needs 160 MiB"},
	{"etcd-disk-read-only", Error, func(m *Machine) { m.Disks[0].ReadOnly = true }, "/var/lib/etcd, for etcd's data, lies on a file system that is mounted read-only"},
	{"disk-full", Error, func(m *Machine) { allDisks(m, func(d *Disk) { d.Free = 1059 * mib }) }, "has 1059 MiB free: init needs 1060 MiB"},
	{"disk-full", Error, func(m *Machine) { m.Disks[1].Device, m.Disks[1].Free = 2, 899*mib }, "/var/lib/containerd, for images, has 899 MiB"},
	{"disk-nearly-full", Warning, func(m *Machine) { allDisks(m, func(d *Disk) { d.Free, d.Available = 5<<30, 3<<30 }) }, "will have 4 % of its space free"},
	{"disk-nearly-full", Warning, func(m *Machine) { allDisks(m, func(d *Disk) { d.FreeInodes = 1 << 15 }) }, "3 % of its inodes"},
	{"inodes-used-up", Error, func(m *Machine) { m.Disks[0].FreeInodes = 0 }, "0 inodes free"},
	{"disk-noexec", Error, func(m *Machine) { m.Disks[2].NoExec = true }, "/usr/local/bin, for programs, is mounted with noexec"},
	{"etcd-slow-disk", Warning, func(m *Machine) { m.Disks[0].SyncP99 = 180 * time.Millisecond }, "of 300 writes such as etcd's, one in 100 took 180ms"},
	{"etcd-on-tmpfs", Warning, func(m *Machine) { m.Disks[0].Type = "tmpfs" }, "lies on tmpfs"},
	{"images-on-overlay", Warning, func(m *Machine) { m.Disks[1].Type = "overlay" }, "/var/lib/containerd lies on an overlay"},

	{"clock-behind", Warning, func(m *Machine) { m.Now = m.Now.AddDate(-5, 0, 0) }, "the clock says 2021-11-25"},
	{"clock-behind", Warning, func(m *Machine) { m.Clock.Marks[0].At = m.Now.Add(3 * time.Minute) }, "the last record in the ledger is of 2026-11-25 04:03"},
	{"clock-unsynced", Warning, func(m *Machine) { m.Clock.Unsynced, m.Clock.Services = true, []string{"chrony.service"} }, "chrony.service runs, and has not set the clock yet, which says 2026-11-25 04:00"},
	{"clock-ahead", Warning, func(m *Machine) { m.Now = m.Now.AddDate(9, 0, 0) }, "more than 5 years after this program was made"},

	{"inotify-used-up", Error, func(m *Machine) { m.Limits.Inotify.Left = 0 }, "fs.inotify.max_user_instances"},
	{"inotify-used-up", Error, func(m *Machine) { m.Limits.Inotify.WatchRefused = true }, "fs.inotify.max_user_watches"},
	{"inotify-used-up", Warning, func(m *Machine) { m.Limits.Inotify.Left, m.Limits.KubeletServed = 0, true }, "fs.inotify.max_user_instances"},
	{"inotify-low", Warning, func(m *Machine) { m.Limits.Inotify.Left = 15 }, "only 15 inotify instances are left, of 128"},
	{"inotify-low", Warning, func(m *Machine) { m.Limits.Inotify.MaxWatches = 1000 }, "fs.inotify.max_user_watches is 1000"},
	{"open-files-used-up", Warning, func(m *Machine) { m.Limits.OpenFiles = 95000 }, "95000 files are open"},
	{"forwarding-fixed", Error, func(m *Machine) { m.Limits.ForwardingFixed = []string{"net.ipv4.ip_forward"} }, "net.ipv4.ip_forward is 0 and can't be set"},
	{"forwarding-undone", Warning, func(m *Machine) {
		m.Limits.ForwardingUndone = []string{"/etc/sysctl.d/99-z.conf sets x = 0"}
	}, "/etc/sysctl.d/99-z.conf sets x = 0, and wins over /etc/sysctl.d/99-bootstrap.conf: after the next boot packets of pods are lost"},
	{"rp-filter-strict", Warning, func(m *Machine) { m.Limits.StrictLinks = []string{"eth0", "eth1"} }, "strict on [eth0 eth1]"},
	{"kernel-module-missing", Warning, func(m *Machine) { m.Modules[1].State = machine.ModuleMissing }, "has no vxlan, which the pod network needs"},
	{"kernel-module-missing", Error, func(m *Machine) { m.Modules[0].State = machine.KernelReplaced }, "the modules on disk are of another kernel than 6.12.0"},

	{"address-not-here", Error, func(m *Machine) { m.Settings.AdvertiseAddress = netip.MustParseAddr("203.0.113.1") }, "203.0.113.1, is not of this machine, which has 192.0.2.10 (eth0)"},
	{"address-of-containers", Warning, func(m *Machine) { m.Settings.AdvertiseAddress = netip.MustParseAddr("172.17.0.1") }, "of docker0"},
	{"no-default-route", Warning, func(m *Machine) { m.Network.Defaults = nil }, "no default route"},
	{"several-default-routes", Warning, func(m *Machine) { m.Network.Defaults = []string{"eth0", "wlan0"} }, "eth0, wlan0; this node's address is 192.0.2.10, of eth0"},
	{"subnet-overlap", Warning, func(m *Machine) {
		m.Network.Routes = append(m.Network.Routes, machine.Route{To: netip.MustParsePrefix("10.244.7.0/24"), Link: "tun0"})
	}, "10.244.0.0/16 of the cluster overlaps 10.244.7.0/24, which this machine reaches by tun0"},

	{"proxy-for-cluster", Error, func(m *Machine) {
		m.KubeletProxy = Proxy{URL: "http://192.0.2.80:3128", Through: []string{"192.0.2.10"}, File: "/etc/systemd/system/kubelet.service.d/http-proxy.conf"}
	}, "http-proxy.conf has the kubelet ask the proxy"},
	{"hosts-file-missing", Error, func(m *Machine) { m.Resolver.NoHosts = true }, "/etc/hosts is not there"},
	{"hosts-file-missing", Warning, func(m *Machine) { m.Resolver.NoHosts, m.Settings.Standalone = true, true }, "/etc/hosts is not there"},
	{"resolver-file-missing", Error, func(m *Machine) { m.Resolver = Resolver{Read: true, File: "/etc/x.conf", Missing: true} }, "/etc/x.conf is not there"},
	{"no-resolver", Warning, func(m *Machine) { m.Resolver = Resolver{Read: true} }, "no /etc/resolv.conf: "},
	{"no-resolver", Warning, func(m *Machine) { m.Resolver = Resolver{Read: true, Own: true} }, "KubeletConfiguration has an empty resolvConf"},
	{"resolver-loops", Warning, func(m *Machine) { m.Resolver.Servers = []netip.Addr{netip.MustParseAddr("127.0.0.53")} }, "names no server that a pod can reach"},
	{"resolver-loops", Warning, func(m *Machine) { m.Resolver.Servers = []netip.Addr{netip.MustParseAddr("fe80::1%eth0")} }, "names no server that a pod can reach"},
	{"resolver-link-local", Warning, func(m *Machine) { m.Resolver.Servers = append(m.Resolver.Servers, netip.MustParseAddr("fe80::1%eth0")) }, "[fe80::1%eth0] means nothing in a pod"},
	{"resolver-silent", Warning, func(m *Machine) { m.Resolver.Silent = m.Resolver.Servers }, "no answer from [192.0.2.1]"},

	{"check-not-ignorable", Error, func(m *Machine) { m.Unfit.Ignored = []string{"no-runtime"} }, "ignorePreflightErrors: no-runtime can't be ignored"},
	{"setting-settled", Error, func(m *Machine) { m.Unfit.Settings = []string{"dnsDomain is x, and y"} }, "dnsDomain is x, and y"},
	{"bundle-damaged", Error, func(m *Machine) { m.Unfit.Bundle = "it is short" }, "it is short"},
	{"no-runtime", Error, func(m *Machine) { m.Unfit.Runtime.What = "there are two" }, "there are two"},
	{"no-kubelet", Error, func(m *Machine) { m.Unfit.Kubelet = Problem{"none", "bring one"} }, "none"},
	{"kubeconfig-conflict", Error, func(m *Machine) { m.Unfit.Kubeconfigs = []Problem{{What: "/root/.kube/config: it has one"}} }, "it has one"},
	{"path-in-the-way", Error, func(m *Machine) {
		m.Unfit.Paths = []Problem{{"\"/usr/local/bin/ctr\" is a symbolic link", "see who made it"}}
	}, `"/usr/local/bin/ctr" is a symbolic link`},
	{"certificates-unusable", Error, func(m *Machine) { m.Unfit.Certs = []Problem{{What: "ca.crt has no key"}} }, "ca.crt has no key"},
	{"etcd-data-gone", Error, func(m *Machine) { m.Unfit.EtcdGone = "/var/lib/etcd" }, "/var/lib/etcd holds no data of etcd, and has held this cluster's"},
	{"etcd-data-gone", Error, func(m *Machine) { m.Unfit.EtcdGone, m.Unfit.EtcdMount = "/var/lib/etcd", "/var/lib" }, "on the disk that was mounted at /var/lib"},
	{"port-taken", Error, func(m *Machine) {
		m.Taken.Ports = []TakenPort{{Number: 2379, For: "etcd clients", By: "pid 7 (nc)", Error: "listen tcp: in use"}}
	}, "port 2379, for etcd clients, is taken by pid 7 (nc): listen tcp: in use"},
	{"port-taken", Error, func(m *Machine) { m.Taken.Ports = []TakenPort{{Number: 2379, For: "etcd clients", Error: "x"}} }, "port 2379, for etcd clients, is taken: x"},
	{"port-taken", Error, func(m *Machine) {
		m.Taken.Ports = []TakenPort{{Number: 8472, For: "flannel", Link: "cilium_vxlan", UDP: true, Error: "x"}}
	}, "UDP port 8472, for flannel, is taken by the network link cilium_vxlan"},
	{"port-taken", Error, func(m *Machine) { m.Taken.Ports = []TakenPort{{Number: 8472, For: "flannel", UDP: true, Error: "x"}} }, "UDP port 8472, for flannel, is taken: x"},
	{"foreign-manifest", Error, func(m *Machine) { m.Taken.Manifests = []string{"/etc/kubernetes/manifests/etcd.yaml"} }, "/etc/kubernetes/manifests/etcd.yaml is there, and bootstrap did not make it"},
	{"etcd-foreign-data", Error, func(m *Machine) { m.Taken.EtcdData = "/var/lib/etcd" }, "/var/lib/etcd holds data that is not of this cluster"},
	{"foreign-link", Error, func(m *Machine) { m.Taken.Links = []string{"cni0"} }, "a network link cni0 is there"},
	{"foreign-rules", Error, func(m *Machine) { m.Taken.Rules = []string{"table ip6 kube-proxy"} }, "the firewall has a table ip6 kube-proxy"},

	{"hostname-localhost", Warning, func(m *Machine) { m.Settings.NodeName = "localhost" }, "would be called localhost"},
	{"hostname-form", Warning, func(m *Machine) { m.Name.Hostname = "Node-1" }, "the machine is called Node-1 and the node node-1"},
	{"hostname-elsewhere", Warning, func(m *Machine) { m.Name.Resolves = []netip.Addr{netip.MustParseAddr("203.0.113.9")} }, "203.0.113.9"},
	{"hostname-unresolvable", Warning, func(m *Machine) { m.Name.Resolves = nil }, "own name, node-1, can't be resolved"},
	{"endpoint-unresolvable", Warning, func(m *Machine) { m.Endpoint.Addresses = nil }, "api.example:6443 can't be resolved"},
	{"endpoint-elsewhere", Warning, func(m *Machine) { m.Endpoint.Dial = TimedOut }, "does not answer (timeout)"},

	{"firewall-active", Warning, func(m *Machine) { m.Firewall.Managers = []string{"ufw"} }, "ufw is active"},
	{"forward-drop", Warning, func(m *Machine) { m.Firewall.Drops = []string{"ip filter FORWARD"} }, "ip filter FORWARD"},
	{"proxy-for-cluster", Warning, func(m *Machine) {
		m.Proxy = Proxy{URL: "http://proxy:3128", Through: []string{"192.0.2.10", "10.96.0.0/12"}}
	}, "would be asked for 192.0.2.10,10.96.0.0/12"},

	{"other-cluster", Warning, func(m *Machine) { m.Foreign.Clusters = []string{"/var/lib/k0s (k0s)"} }, "/var/lib/k0s (k0s)"},
	{"volume-closed", Error, func(m *Machine) { m.Foreign.Closed = []string{"/srv/x of user 1000 (mode 0600), for kube-apiserver"} }, "may not read /srv/x of user 1000"},
	{"host-path-missing", Error, func(m *Machine) { m.Foreign.Missing = []string{"/srv/x, for kube-apiserver"} }, "there is no /srv/x, for kube-apiserver"},
	{"foreign-static-pod", Warning, func(m *Machine) {
		m.Foreign.Manifests = []Manifest{{Path: "/m/x.yaml", Name: "default/x", Ports: anywhere(80)}}
	}, "/m/x.yaml is there"},
	{"foreign-static-pod", Error, func(m *Machine) {
		m.Foreign.Manifests = []Manifest{{Path: "/m/x.yaml", Name: "default/x", Ports: anywhere(80, 6443)}}
	}, "takes port 6443"},
	{"foreign-static-pod", Error, func(m *Machine) {
		m.Foreign.Manifests = []Manifest{{Path: "/m/kube-apiserver.yaml.bak", Name: "kube-system/kube-apiserver"}}
	}, "a second pod kube-system/kube-apiserver"},
	{"foreign-static-pod", Warning, func(m *Machine) {
		m.Foreign.Served, m.Foreign.Manifests = true, []Manifest{{Path: "/m/web.yaml", Name: "default/web"}, {Path: "/m/y.yaml~", Error: "it is empty"}}
	}, "/m/y.yaml~ is no valid Pod: it is empty"},
	{"pod-url-unreachable", Error, func(m *Machine) { m.PodURL.Error = "refused" }, "can't be fetched from https://pods.example/: refused"},
	{"pod-url-unreachable", Warning, func(m *Machine) { m.PodURL.Error, m.PodURL.Given = "refused", true }, "refused"},
	{"pod-url-no-pod", Error, func(m *Machine) { m.PodURL.Wrong = "it is empty" }, "it is empty"},
	{"pod-url-plain", Warning, func(m *Machine) { m.PodURL.Plain = true }, "decides what runs here as root"},
	{"cni-plugin-missing", Warning, func(m *Machine) { m.Foreign.Plugins = []string{"calico, in /x"} }, "calico, in /x"},

	{"cni-config-foreign", Warning, func(m *Machine) {
		m.CNI.Others = []CNIFile{{Path: "/etc/cni/net.d/87-podman.conflist", What: "podman [10.88.0.0/16]"}}
	}, "/etc/cni/net.d/87-podman.conflist is of another program's network, podman [10.88.0.0/16], and no cluster's: it stays as it is"},
	{"cni-config-foreign", Error, func(m *Machine) { m.CNI.Others = []CNIFile{{Path: "/etc/cni/net.d/05-podman.conflist", First: true}} }, "all pods would be in it"},
	{"cni-config-foreign", Error, func(m *Machine) {
		m.CNI.Others = []CNIFile{{Path: "/etc/cni/net.d/05-mine.conflist", First: true, Damaged: true}, {Path: "/etc/cni/net.d/99-mine.conflist", Damaged: true}}
	}, "names no plugin"},
	{"cni-config-stale", Warning, func(m *Machine) { m.CNI = CNI{Left: "/x.conflist", Stale: "its kubeconfig is missing"} }, "/x.conflist, of an older cluster: its kubeconfig"},
	{"cni-plugin-missing", Warning, func(m *Machine) { // one finding about one file is enough
		m.Foreign.Plugins, m.CNI = []string{"calico, in /x"}, CNI{Left: "/x", Stale: "its kubeconfig is missing"}
	}, "calico, in /x"},

	{"unit-masked", Error, func(m *Machine) { m.Masked = []string{"kubelet.service"} }, "kubelet.service is masked"},
	{"runtime-without-cri", Error, func(m *Machine) { m.CRI = CRI{Socket: "/run/c.sock", NoCRI: true} }, "/run/c.sock does not speak CRI"},
	{"runtime-hangs", Warning, func(m *Machine) { m.CRI = CRI{Socket: "/run/c.sock", Hangs: true} }, "/run/c.sock takes connections"},
	{"runtime-disagrees", Error, func(m *Machine) { m.CRI.Wrong = Problem{"it makes cgroups otherwise", "mend it"} }, "it makes cgroups otherwise"},
	{"runtime-old", Warning, func(m *Machine) { m.CRI.Version = "1.7.24" }, "is 1.7.24"},
	{"external-etcd-unreachable", Warning, func(m *Machine) { m.External[0].Error = "refused" }, "https://a:2379: refused"},
	{"external-etcd-unreachable", Error, func(m *Machine) { m.External = []ExternalEtcd{{URL: "https://a:2379", Error: "refused"}} }, "https://a:2379: refused"},
	{"external-etcd-unreachable", Warning, func(m *Machine) {
		m.External = []ExternalEtcd{{URL: "https://a:2379", Error: "deadline exceeded", Slow: true}}
	}, "https://a:2379: deadline exceeded"},
	{"external-etcd-old", Warning, func(m *Machine) { m.External[1].Version = "3.4.30" }, "https://b:2379 is 3.4.30"},
}

func allDisks(m *Machine, change func(*Disk)) {
	for i := range m.Disks {
		change(&m.Disks[i])
	}
}

// TestClockOfNobody: a machine without a time service, or a container that sees the clock of its host, is
// not blamed for what it can't mend.
func TestClockOfNobody(t *testing.T) {
	m := goodMachine()
	m.Clock.Unsynced = true
	if found := catalogue(t).Preflight(m); len(found) > 0 {
		t.Errorf("%+v", found)
	}
}

func TestGoodMachine(t *testing.T) {
	if found := catalogue(t).Preflight(goodMachine()); len(found) > 0 {
		t.Errorf("found on a good machine: %+v", found)
	}
}

// TestMachines: each finds what is wrong, says it, and finds nothing else.
func TestMachines(t *testing.T) {
	for _, c := range machineCases {
		m := goodMachine()
		c.change(m)
		found := catalogue(t).Preflight(m)
		if len(found) != 1 || found[0].ID != c.id || found[0].Level != c.level || !strings.Contains(found[0].What, c.says) || found[0].Remedy == "" {
			t.Errorf("%s: want one %s that says %q, got %+v", c.id, c.level, c.says, found)
		}
	}
}

// TestEveryCheckHasAMachine: no check is without its test.
func TestEveryCheckHasAMachine(t *testing.T) {
	for _, entry := range catalogue(t) {
		tested := slices.ContainsFunc(machineCases, func(c machineCase) bool { return c.id == entry.ID })
		if entry.Check != nil && !tested {
			t.Errorf("no machine has %s", entry.ID)
		}
	}
}

// TestAddressOfACluster: it can't be changed in the config any more, and has to come back.
func TestAddressOfACluster(t *testing.T) {
	m := goodMachine()
	m.Settings.AdvertiseAddress, m.Settings.AddressSettled = netip.MustParseAddr("203.0.113.1"), true
	found := addressNotHere(m)
	if len(found) != 1 || !strings.Contains(found[0].Remedy, "ip address add 203.0.113.1 dev eth0") {
		t.Errorf("%+v", found)
	}
}

// TestNothingKnown: what could not be read is no finding.
func TestNothingKnown(t *testing.T) {
	if found := catalogue(t).Preflight(&Machine{Now: lookedAt}); len(found) > 0 {
		t.Errorf("found on a machine of which nothing is known: %+v", found)
	}
}

// TestCausesOfTheMachine: what alone explains a stall ends a wait, and only that.
func TestCausesOfTheMachine(t *testing.T) {
	ends := []string{"etcd-data-gone", "no-cgroups", "disk-read-only", "inodes-used-up", "inotify-used-up", "address-not-here", "resolver-file-missing",
		"loopback-down", "hosts-file-missing"}
	for _, c := range machineCases {
		m := goodMachine()
		c.change(m)
		f, found := First(catalogue(t).Causes(&Evidence{Machine: *m}))
		ended := found && f.Level == Error
		want := c.level == Error && slices.Contains(ends, c.id)
		if ended != want {
			t.Errorf("%s: cause %+v, want an end: %t", c.id, f, want)
		}
	}
	full := goodMachine()
	allDisks(full, func(d *Disk) { d.Free = 3 * mib })
	if f, _ := First(catalogue(t).Causes(&Evidence{Machine: *full})); f.ID != "disk-full" || f.Level != Error {
		t.Errorf("on a full disk: %+v", f)
	}
}

// TestEveryEntryIsWhole: each has an ID of its own, and what explain shows.
func TestEveryEntryIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range catalogue(t) {
		if e.ID == "" || e.Title == "" || e.Means == "" || e.Remedy == "" || seen[e.ID] {
			t.Errorf("entry %q lacks something, or is there twice", e.ID)
		}
		seen[e.ID] = true
	}
}
