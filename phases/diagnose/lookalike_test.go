package diagnose

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"bootstrap/phases/machine"
	"bootstrap/phases/pki"
	"bootstrap/phases/runtime"
)

// lookAlike is what looks like an entry's cause, and is something else, or nothing.
type lookAlike struct {
	what     string
	evidence *Evidence
	instead  string // what is named; empty: nothing
}

// with is evidence after a change.
func with(e *Evidence, change func(*Evidence)) *Evidence {
	change(e)
	return e
}

// onGoodMachine is a cluster that runs on a machine with one thing changed.
func onGoodMachine(change func(*Machine)) *Evidence {
	m := goodMachine()
	change(m)
	return &Evidence{Machine: *m, API: Server{Dial: Open, Status: 200}, Etcd: Server{Dial: Open, Status: 200}}
}

// containerdSaid is a machine whose kubelet and containerd run, and containerd has said these lines.
func containerdSaid(lines ...string) *Evidence {
	return with(podsFail(), func(e *Evidence) { e.Journal[containerdUnit] = logged(time.Second, lines...) })
}

// lookAlikes are, by the entry that must not be blamed, machines on which it would be easy to.
func lookAlikes() map[string][]lookAlike {
	const fatal = `{"level":"fatal","ts":"2026-11-25T03:49:00.1Z","caller":"etcdmain/etcd.go:183","msg":"discovery failed","error":"`
	running := machine.UnitState{Load: "loaded", Active: "active", Sub: "running", Started: lookedAt.Add(-time.Minute)}
	return map[string][]lookAlike{
		"clock-behind": {
			{"NTP has put the clock back by a minute", onGoodMachine(func(m *Machine) { m.Clock.Marks[0].At = m.Now.Add(time.Minute) }), ""},
			{"a program that was built in another time zone", onGoodMachine(func(m *Machine) { m.Clock.Built = m.Now.Add(14 * time.Hour) }), ""},
		},
		"disk-read-only": {
			{"the kubelet's own disk, which has an entry", onGoodMachine(func(m *Machine) { m.Disks[3].ReadOnly = true }), ""},
		},
		"disk-full": {
			{"a disk that is small, and has room", onGoodMachine(func(m *Machine) { allDisks(m, func(d *Disk) { d.Size, d.Free = 100*mib, 20*mib }) }), ""},
			{"the kernel's inotify watches", containerdSaid(`level=error msg="inotify_add_watch /run/containerd/x: too many; /etc/cni/net.d: no space left on device"`), ""},
			{"no inotify watch is left, and somebody follows a log", podsFail(`E1125 x.go:1] "y" err="failed to watch directory \"/var/log/pods/default_web_u/web\": no space left on device"`), ""},
			{"a quota of a user's volume", podsFail(`E1125 x.go:1] "y" err="write /srv/data/x: no space left on device"`), ""},
		},
		"inodes-used-up": {
			{"a file system that does not count them", onGoodMachine(func(m *Machine) { allDisks(m, func(d *Disk) { d.Inodes, d.FreeInodes = 0, 0 }) }), ""},
		},
		"inotify-used-up": {
			{"too many open files of another kind", podsFail(`E1125 x.go:1] "Failed to read" err="open /var/log/pods/x: too many open files"`), ""},
		},
		"open-files-used-up": {
			{"a limit that is not known", onGoodMachine(func(m *Machine) { m.Limits.OpenFiles, m.Limits.MaxOpenFiles = 9000, 0 }), ""},
		},
		"resolver-file-missing": {
			{"it came since, and pods start", with(saidTwice(saysResolv), func(e *Evidence) {
				e.Pods = []runtime.Sandbox{{Namespace: "kube-system", Name: "etcd-n1", UID: "uid-etcd", Ready: true, Created: lookedAt.Add(-100 * time.Millisecond)}}
			}), ""},
			{"the kubelet was told another file since, and has only just started", with(saidTwice(saysResolv), func(e *Evidence) {
				e.Units[kubeletUnit] = machine.UnitState{Load: "loaded", Active: "active", Started: lookedAt}
			}), ""},
		},
		"hosts-file-missing": {
			{"another machine has none, of which only the folders are looked at", onGoodMachine(func(m *Machine) { m.Resolver = Resolver{} }), ""},
			{"an own name that nobody knows", onGoodMachine(func(m *Machine) { m.Name.Resolves = nil }), ""},
		},
		"loopback-down": {
			{"a firewall drops what goes to this machine itself", with(componentRuns("kube-apiserver"), func(e *Evidence) { e.API = Server{Address: "10.0.0.1:6443", Dial: TimedOut} }), "firewall-drops-api"},
		},
		"address-not-here": {
			{"the address is on a link without the default route", onGoodMachine(func(m *Machine) {
				m.Network.Addresses = append(m.Network.Addresses, machine.LinkAddress{Link: "vpn0", Address: netip.MustParseAddr("10.99.0.5")})
				m.Network.Defaults = []string{"vpn0"}
			}), ""},
			{"addresses that could not be read", onGoodMachine(func(m *Machine) { m.Network = Network{} }), ""},
		},
		"proxy-for-cluster": {
			{"a time-out without a proxy", podsFail(`E1129 x.go:1] "Unable to register node with API server" err="Post \"https://10.0.0.1:6443/api/v1/nodes\": dial tcp 10.0.0.1:6443: i/o timeout"`), ""},
		},
		"unit-masked": {
			{"a unit of containerd that nobody needs", runtimeFails("/run/crio/crio.sock", "", machine.UnitState{Load: "masked", Active: "inactive"}), ""},
		},
		"runtime-without-cri": {
			{"it does not answer in time", runtimeFails(containerdSocket, hangs, running), "runtime-hangs"},
		},
		"runtime-hangs": {
			{"it is not there", runtimeFails(containerdSocket, noSocket, running), "runtime-not-listening"},
			{"the machine is busy", with(runtimeFails(containerdSocket, hangs, running), func(e *Evidence) { e.Crowding = 3 }), ""},
		},
		"containerd-config": {
			{"it can't listen", runtimeFails(containerdSocket, noSocket, machine.UnitState{Load: "loaded", Active: "activating", Started: lookedAt.Add(-2 * time.Second)}, badStart), "containerd-fails"},
			{"a line of the process before", runtimeFails(containerdSocket, noSocket, machine.UnitState{Load: "loaded", Active: "activating", Started: lookedAt.Add(-500 * time.Millisecond)}, badTOML), ""},
		},
		"containerd-stopped": {
			{"systemd waits to start it again", runtimeFails(containerdSocket, noSocket, machine.UnitState{Load: "loaded", Active: "activating", Sub: "auto-restart"}), ""},
			{"another runtime is in use", runtimeFails("/run/crio/crio.sock", "", machine.UnitState{Load: "loaded", Active: "failed"}), ""},
		},
		"runtime-not-listening": {
			{"it was started a moment ago", runtimeFails(containerdSocket, staleSocket, machine.UnitState{Load: "loaded", Active: "active", Started: lookedAt.Add(-time.Second)}), ""},
		},
		"runtime-not-cri": {
			{"it ends while it is asked", runtimeFails(containerdSocket, otherServer, machine.UnitState{Load: "loaded", Active: "active", Started: lookedAt.Add(-time.Second)}), ""},
		},
		"runc-missing": {
			{"the program in the image is missing", podsFail(etcdContainer("RunContainerError", startFailed)), "container-not-created"},
		},
		"kubelet-disk-full": {
			{"a volume in memory is full", saidTwice(`E1125 x.go:1] "y" err="write /var/lib/kubelet/pods/u/volumes/kubernetes.io~empty-dir/cache/x: no space left on device"`), ""},
			{"another folder is", podsFail(`E1125 x.go:1] "y" err="write /tmp/x: no space left on device"`), "disk-full"},
		},
		"kubelet-disk-read-only": {
			{"a volume is mounted so", saidTwice(`E1125 x.go:1] "y" err="lchown /var/lib/kubelet/pods/u/volumes/kubernetes.io~nfs/data: read-only file system"`), ""},
		},
		"kubelet-stopped": {
			{"it is started again", with(kubeletCrashes("I1125 starting"), func(e *Evidence) {
				e.Units[kubeletUnit] = machine.UnitState{Load: "loaded", Active: "activating", Sub: "auto-restart"}
			}), ""},
			{"systemd has given it up, for its flag", with(kubeletCrashes(saysFlag), func(e *Evidence) {
				unit := e.Units[kubeletUnit]
				unit.Active = "failed"
				e.Units[kubeletUnit] = unit
			}), "kubelet-flag"},
			{"there is no unit of that name", with(kubeletCrashes(), func(e *Evidence) {
				e.Units[kubeletUnit] = machine.UnitState{Load: "not-found", Active: "inactive"}
			}), ""},
		},
		"kubelet-flag": {
			{"a line of the process before", with(kubeletCrashes(saysFlag), func(e *Evidence) {
				e.Units[kubeletUnit] = machine.UnitState{Load: "loaded", Active: "active", Started: lookedAt.Add(-500 * time.Millisecond)}
			}), ""},
		},
		"kubelet-config": {
			{"its certificate is what is wrong", kubeletCrashes(`E1125 run.go:72] "command failed" err="failed to run Kubelet: invalid configuration: unable to read client-cert /var/lib/kubelet/pki/kubelet-client-current.pem: no such file"`), ""},
		},
		"kubelet-swap": {
			{"it runs beside swap", podsFail(`I1125 container_manager_linux.go:1] "Running with swap on" swap="1G"`), ""},
		},
		"kubelet-cgroups": {
			{"it only complains of cgroup v1", podsFail(`W1125 kubelet.go:1] cgroup v1 support is deprecated`), ""},
		},
		"kubelet-port-taken": {
			{"whoever had the port is gone", with(kubeletCrashes(saysPort), func(e *Evidence) { e.Listening = nil }), ""},
		},
		"kubelet-fails": {
			{"it waits for its runtime", with(kubeletCrashes(saysCRI, saysCRI, saysCRI), func(e *Evidence) {
				e.RuntimeError, e.Units[containerdUnit] = noSocket, machine.UnitState{Load: "loaded", Active: "activating", Started: lookedAt.Add(-time.Second)}
			}), ""},
		},
		"node-pressure": {
			{"removing images was enough", with(saidTwice(saysEvict), func(e *Evidence) {
				e.Journal[kubeletUnit] = append(e.Journal[kubeletUnit], logged(time.Second, saysEnough)...)
			}), ""},
		},
		"manifest-gone": {
			{"it lies there under another name", &Evidence{
				Machine: Machine{Settings: pkiSettings}, Files: []machine.Drift{{Path: "/etc/kubernetes/manifests/etcd.yaml", What: "gone"}},
				Manifests: []Manifest{{Path: "/etc/kubernetes/manifests/a.yaml", Name: "kube-system/etcd", Ours: true}},
			}, "files-drifted"},
		},
		"manifest-port-conflict": {
			{"a copy is the same pod", &Evidence{Machine: Machine{Settings: pkiSettings}, Manifests: []Manifest{
				{Path: "/m/a.yaml", Name: "default/a", Ports: anywhere(80)}, {Path: "/m/b.yaml", Name: "default/a", Ports: anywhere(80)},
			}}, ""},
			{"each has an address of its own", &Evidence{Machine: Machine{Settings: pkiSettings}, Manifests: []Manifest{
				{Path: "/m/a.yaml", Name: "default/a", Ports: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:80")}},
				{Path: "/m/b.yaml", Name: "default/b", Ports: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:80")}},
			}}, ""},
		},
		"pause-image-missing": {
			{"the sandbox fails for another reason", podsFail(etcdSandbox("cgroups: cgroup mountpoint does not exist")), "pod-not-created"},
		},
		"image-missing": {
			{"an image of a pod that nobody waits for", podsFail(strings.ReplaceAll(etcdContainer("ErrImagePull", pullRefused), "kube-system/etcd-n1", "shop/web-1")), ""},
		},
		"image-cannot-run": {
			{"a program that ran, and could not run another", etcdEnded(runtime.Container{ExitCode: 1, Log: wrote("starting", "exec /opt/tool: exec format error")}), "component-crashes"},
		},
		"container-oom-killed": {
			{"it was killed for its liveness probe", etcdEnded(runtime.Container{ExitCode: 137, Reason: "Error"}), "component-crashes"},
		},
		"host-path-missing": {
			{"a folder of the kubelet's own", usersPod(strings.ReplaceAll(noParent, "/srv/none", "/var/lib/kubelet/pods/x")), ""},
			{"a volume of another kind", podsFail(strings.Replace(noPath, "hostPath type check failed: /srv/missing is not a directory", "configmap \"x\" not found", 1)), ""},
		},
		"cni-plugin-missing": {
			{"a plugin that is there fails", podsFail(corednsSandbox(noAgent)), "pod-not-created"},
		},
		"cni-config-invalid": {
			{"there is none yet", containerdSaid(`level=error msg="failed to load cni during init" error="cni config load failed: no network config found in /etc/cni/net.d"`), ""},
			{"the network is somebody else's", with(containerdSaid(`level=error error="failed to load CNI config list file /etc/cni/net.d/x.conflist: EOF"`), func(e *Evidence) { e.Settings.OwnNetwork = false }), ""},
		},
		"pod-not-admitted":   {{"another pod is not", usersPod(strings.ReplaceAll(denied, "shop/web", "shop/other")), ""}},
		"mirror-pod-refused": {{"the API server is away", usersPod(strings.ReplaceAll(noMirror, `namespaces \"monitoring\" not found`, `Post \"https://10.0.0.1:6443\": dial tcp: connection refused`)), ""}},
		"manifest-refused":   {{"another file is", usersPod(strings.ReplaceAll(refusedByWatch, "web.yaml", "other.yaml")), ""}},
		"port-taken":         {{"whoever had the port is gone", with(componentEnded("kube-apiserver", apiPort), func(e *Evidence) { e.Listening = nil }), "component-crashes"}},
		"clock-wrong": {
			{"all leaves have expired, and the CA has not", &Evidence{Machine: Machine{Settings: pkiSettings, Now: lookedAt}, Certificates: []Certificate{
				{Path: "/etc/kubernetes/pki/ca.crt", NotAfter: lookedAt.AddDate(9, 0, 0)},
				{Path: "/etc/kubernetes/pki/apiserver.crt", Problem: pki.Expired, NotAfter: lookedAt.AddDate(0, 0, -1)},
			}}, "certificate-expired"},
		},
		"etcd-disk-full": {
			{"its database has reached its quota", componentRuns("etcd", `{"level":"warn","msg":"alarm","error":"etcdserver: mvcc: database space exceeded"}`), "etcd-space-quota"},
		},
		"etcd-no-permission": {
			{"it may not read its key", componentEnded("etcd", fatal+`open /etc/kubernetes/pki/etcd/server.key: permission denied"}`), "component-crashes"},
		},
		"etcd-corrupt": {
			{"a log that was cut by a power cut, and repaired", componentEnded("etcd", `{"level":"info","msg":"repaired WAL","error":"unexpected EOF"}`, etcdPort), "port-taken"},
			{"a peer that went away", componentEnded("etcd", `{"level":"warn","msg":"lost TCP streaming connection with remote peer","error":"unexpected EOF"}`), "component-crashes"},
			{"a peer of another version", componentEnded("etcd", `{"level":"warn","msg":"cluster cannot be downgraded: version mismatch"}`), "component-crashes"},
		},
		"etcd-data-gone": {{"it can't listen", componentEnded("etcd", etcdPort), "port-taken"}},
		"etcd-space-quota": {
			{"it said so ten minutes ago", with(componentRuns("kube-apiserver", "etcdserver: mvcc: database space exceeded"), func(e *Evidence) {
				e.Pods[0].Containers[0].Log[0].At = lookedAt.Add(-10 * time.Minute)
			}), ""},
		},
		"etcd-no-quorum": {
			{"a leader was elected, and etcd is slow to answer", with(componentRuns("etcd", etcdNoVote, etcdAsks, etcdElected), func(e *Evidence) {
				e.Etcd = Server{Dial: Open, Error: "context deadline exceeded"}
			}), ""},
		},
		"etcd-slow-disk":            {{"it gets no CPU", componentRuns("etcd", saysLate, saysLate), ""}},
		"external-etcd-unreachable": {{"etcd is on this node, and starts", componentRuns("kube-apiserver", apiDials), ""}},
		"etcd-refuses-api": {
			{"a connection that was given up", componentRuns("kube-apiserver", apiCancels), ""},
			{"etcd stops", componentRuns("kube-apiserver", strings.Replace(apiCancels, "context canceled", "remote error: tls: internal error", 1)), ""},
		},
		"component-bad-flag": {
			{"it has run since", with(componentRuns("kube-apiserver"), func(e *Evidence) {
				old := componentEnded("kube-apiserver", apiBadFlag).Pods[0].Containers[0]
				old.Started = lookedAt.Add(-time.Minute)
				e.Pods[0].Containers = append(e.Pods[0].Containers, old)
			}), ""},
		},
		"component-refuses-settings": {
			{"it was told to end", componentEnded("kube-scheduler", `E1 run.go:72] "command failed" err="context canceled"`), "component-crashes"},
			{"it could write no file", componentEnded("kube-apiserver", `E1 run.go:72] "command failed" err="mkdir /tmp/x: no space left on device"`), "component-crashes"},
			{"a limit of open files", componentEnded("kube-apiserver", `E1 run.go:72] "command failed" err="open /x: too many open files"`), "component-crashes"},
		},
		"component-program-damaged": {
			{"it says where it ends", etcdEnded(runtime.Container{ExitCode: 139, Log: wrote("unexpected fault address 0x0", "fatal error: fault")}), "component-crashes"},
		},
		"firewall-drops-api": {
			{"nobody listens yet", with(componentRuns("kube-apiserver"), func(e *Evidence) { e.API = Server{Address: "10.0.0.1:6443", Dial: Refused} }), ""},
			{"the loopback link is down", with(componentRuns("kube-apiserver"), func(e *Evidence) {
				e.API, e.Network.LoopbackDown = Server{Address: "10.0.0.1:6443", Dial: TimedOut}, true
			}), "loopback-down"},
			{"it does not run", with(podsFail(), func(e *Evidence) { e.API = Server{Address: "10.0.0.1:6443", Dial: TimedOut} }), ""},
		},
		"kube-proxy-conntrack": {
			{"another setting may not be set", addonEnded("kube-proxy", 0, `E1 run.go:72] "command failed" err="open /proc/sys/net/ipv4/conf/all/route_localnet: read-only file system"`), ""},
		},
		"kube-proxy-no-firewall": {
			{"IPv6 has none, and it goes on", with(addonEnded("kube-proxy", 0, `I1 server.go:1] "nftables is not supported for IPv6"`), func(e *Evidence) {
				c := &e.Pods[0].Containers[0]
				c.Exited, c.ExitCode, c.Running = false, 0, true
			}), ""},
		},
		"kube-proxy-refuses-settings": {
			{"it has no token", addonEnded("kube-proxy", 0, `E1 run.go:72] "command failed" err="invalid configuration: no configuration has been provided"`), ""},
			{"it may not set the kernel", addonEnded("kube-proxy", 0, `E1 run.go:72] "command failed" err="open /proc/sys/net/ipv4/conf/all/route_localnet: permission denied"`), ""},
			{"it does not trust the API server", addonEnded("kube-proxy", 0, `E1 run.go:72] "command failed" err="tls: failed to verify certificate: x509: certificate signed by unknown authority"`), ""},
			{"a port is in use", addonEnded("kube-proxy", 0, `E1 run.go:72] "command failed" err="listen tcp 0.0.0.0:10256: bind: address already in use"`), ""},
		},
		"flannel-no-interface": {
			{"the first try, before the default route was there", addonEnded("flanneld", 0, "E1 main.go:1] Failed to find any valid interface to use"), ""},
		},
		"coredns-loop": {
			{"a pod that is gone", with(addonEnded("coredns", 3, dnsLoops), func(e *Evidence) { e.Pods[0].Ready = false }), ""},
		},
		"no-cgroups": {{"it could not be looked at", onGoodMachine(func(m *Machine) { m.System.Read, m.System.CgroupVersion = false, 0 }), ""}},
		"foreign-static-pod": {
			{"a static pod of the user's", &Evidence{Machine: Machine{Settings: pkiSettings}, Manifests: []Manifest{{Path: "/m/x.yaml", Name: "default/etcd"}}}, ""},
		},
		"containerd-fails": {
			{"a line of the process before", runtimeFails(containerdSocket, noSocket, machine.UnitState{Load: "loaded", Active: "activating", Started: lookedAt.Add(-500 * time.Millisecond)}, badStart), ""},
			{"its program could not be run once, and is up", runtimeFails(containerdSocket, noSocket, machine.UnitState{Load: "loaded", Active: "active", ExitStatus: 203, Started: lookedAt.Add(-500 * time.Millisecond)}), ""},
		},
		"container-not-created": {
			{"the kubelet has just started", podsFail(etcdContainer("CreateContainerConfigError", "services have not yet been read at least once, cannot construct envvars")), ""},
		},
		"pod-not-created": {
			{"a sandbox has come up since", with(podsFail(etcdSandbox("no such luck")), func(e *Evidence) {
				e.Pods = []runtime.Sandbox{{Namespace: "kube-system", Name: "etcd-n1", UID: "uid-etcd", Ready: true, Created: lookedAt.Add(-500 * time.Millisecond)}}
			}), ""},
		},
		"etcd-disk-read-only": {{"its log may not be written", componentEnded("etcd", fatal+`open /var/log/etcd.log: read-only file system"}`), "component-crashes"}},
		"process-stopped": {
			{"somebody else's process is", with(longUp("etcd"), func(e *Evidence) { e.Stopped = map[int]string{7: "0::/user.slice\n"} }), ""},
		},
		"component-hangs": {
			{"it is only busy", with(longUp("etcd"), func(e *Evidence) { e.Etcd = unanswered(time.Second) }), ""},
			{"it has just started", with(componentRuns("etcd"), func(e *Evidence) { e.Etcd = unanswered(silence) }), ""},
			{"the machine is busy", with(longUp("etcd"), func(e *Evidence) { e.Etcd, e.Crowding = unanswered(silence), 3 }), ""},
			{"the machine is busy, and it logs", with(longUp("etcd"), func(e *Evidence) {
				e.Etcd, e.Crowding, e.Pods[0].Containers[0].Log = unanswered(time.Minute), 3, []runtime.LogLine{{At: lookedAt.Add(-20 * time.Second), Text: "apply took too long"}}
			}), ""},
		},
		"firewall-flushed": {
			{"kube-proxy has only just started", with(addonRuns("kube-proxy", time.Second), lostTable), ""},
			{"it started minutes ago on a busy machine", with(addonRuns("kube-proxy", 2*time.Minute), func(e *Evidence) { lostTable(e); e.Crowding = 3 }), ""},
			{"kube-proxy has not met the API server yet", with(addonRuns("kube-proxy", time.Minute,
				`E1125 x.go:1] "Failed to watch" err="failed to list *v1.Service: dial tcp 10.0.0.1:6443: i/o timeout"`), lostTable), ""},
			{"it was removed, as another program does its work", onGoodMachine(func(m *Machine) { m.Firewall.Lost = []LostTable{{"ip kube-proxy", "kube-proxy"}} }), ""},
		},
		"services-unreachable": {
			{"the API server was away before the present wait", with(addonEnded("coredns", 0, `[ERROR] plugin/kubernetes: dial tcp 10.96.0.1:443: connect: connection refused`), func(e *Evidence) {
				c := &e.Pods[0].Containers[0]
				c.Exited, c.ExitCode, c.Running, c.Started = false, 0, true, lookedAt.Add(-20*time.Minute)
				c.Log[0].At, e.Waits = lookedAt.Add(-20*time.Second), lookedAt.Add(-10*time.Second)
			}), ""},
		},
		"flannel-no-br-netfilter": {{"another file is missing", addonEnded("flanneld", 0, "E1 main.go:1] open /run/flannel/subnet.env: no such file or directory"), ""}},
		"flannel-no-vxlan":        {{"vxlan.calico is somebody else's", addonEnded("flanneld", 0, "I1 main.go:1] link vxlan.calico is up"), ""}},
		"kubelet-mounts-hidden":   {{"the token is missing for another reason", addonEnded("kube-proxy", 0, noTokenThere), ""}},
		"addon-crashes":           {{"the first try was before what it needs", addonEnded("flanneld", 0, "timeout"), ""}},
		"component-crashes": {
			{"the first try was before etcd", with(componentEnded("kube-apiserver", apiDeadline), func(e *Evidence) { e.Pods[0].Containers[0].Attempt = 0 }), ""},
			{"it lost its lease on a busy machine", with(componentEnded("kube-scheduler", schedLost), func(e *Evidence) { e.Crowding = 3 }), ""},
		},
		"kubelet-not-authorized": {{"a pod is new to the API server", with(podsFail(`E1 projected.go:194] User "system:node:n1" cannot create resource "serviceaccounts/token"`), func(e *Evidence) { e.API.Status = 200 }), ""}},
	}
}

// saysLate is what etcd says where it gets no CPU as well as where its disk is slow.
const saysLate = `{"level":"warn","ts":"2026-11-25T03:44:30.1Z","msg":"leader failed to send out heartbeat on time; took too long, leader is overloaded likely from slow disk"}`

// lookAlikesElsewhere are the causes whose own tests have them, and those that compare what is there with what init
// wrote, which nothing else looks like.
var lookAlikesElsewhere = map[string]string{
	"cni-config-stale": "TestStaleNetwork", "forwarding-off": "TestForwardingOff", "static-pod-blocked": "TestBlocked",
	"manifest-invalid": "TestManifestCauses", "files-drifted": "compared",
	"certificate-missing": "compared", "certificate-empty": "compared", "certificate-damaged": "compared",
	"certificate-wrong-key": "compared", "certificate-wrong-ca": "compared", "certificate-expired": "TestClockWrong",
	"certificate-not-yet-valid": "TestClockWrong", "certificate-wrong-name": "TestCertificateCauses",
}

// TestLookAlikes: what looks like an entry's cause and is none does not name it, be it as probable.
func TestLookAlikes(t *testing.T) {
	all := lookAlikes()
	for id, machines := range all {
		if entry, ok := catalogue(t).Find(id); !ok || entry.Cause == nil {
			t.Errorf("%s is no cause", id)
		}
		for _, m := range machines {
			t.Run(id+", "+m.what, func(t *testing.T) {
				causes := catalogue(t).Causes(m.evidence)
				for _, f := range causes {
					if f.ID == id {
						t.Errorf("it is blamed: %s: %s", f.Level, f.What)
					}
				}
				if f, _ := First(causes); f.ID != m.instead {
					t.Errorf("want %q, got %q: %s", m.instead, f.ID, f.What)
				}
			})
		}
	}
	for _, entry := range catalogue(t) {
		if entry.Cause != nil && all[entry.ID] == nil && lookAlikesElsewhere[entry.ID] == "" {
			t.Errorf("what looks like %s, and is not?", entry.ID)
		}
	}
}

// TestLookAlikeMachines: preflight finds nothing on machines that look as if it should.
func TestLookAlikeMachines(t *testing.T) {
	address := netip.MustParseAddr
	for what, change := range map[string]func(*Machine){
		"few CPUs, for a kubelet alone":               func(m *Machine) { m.Settings.Standalone, m.System.CPUs, m.System.Memory = true, 1, 512*mib },
		"memory that is just enough":                  func(m *Machine) { m.System.Memory = 1700 * mib },
		"a kernel with an odd version":                func(m *Machine) { m.System.Kernel = "next-20261125" },
		"a file system that does not count inodes":    func(m *Machine) { allDisks(m, func(d *Disk) { d.Inodes, d.FreeInodes = 0, 0 }) },
		"an old etcd disk, one slow write aside":      func(m *Machine) { m.Disks[0].SyncP99 = 90 * time.Millisecond },
		"a clock that NTP has put back by a minute":   func(m *Machine) { m.Clock.Marks[0].At = m.Now.Add(time.Minute) },
		"a program built in another time zone":        func(m *Machine) { m.Clock.Built = m.Now.Add(14 * time.Hour) },
		"a time service that has set the clock":       func(m *Machine) { m.Clock.Synced, m.Clock.Services = true, []string{"chrony.service"} },
		"a clock that is not synchronised by anybody": func(m *Machine) { m.Clock.Unsynced = true },
		"strict rp_filter on the only link":           func(m *Machine) { m.Limits.StrictLinks = []string{"eth0"} },
		"a container network beside the address":      func(m *Machine) { m.Network.Addresses[1].Link = "virbr0" },
		"no default route, but one to the Services": func(m *Machine) {
			m.Network.Defaults, m.Network.Routes = nil, append(m.Network.Routes, machine.Route{To: netip.MustParsePrefix("10.96.0.0/12"), Link: "eth0"})
		},
		"a route of a VPN to other ranges": func(m *Machine) {
			m.Network.Routes = append(m.Network.Routes, machine.Route{To: netip.MustParsePrefix("172.30.0.0/24"), Link: "vpn0"})
		},
		"a resolver on loopback beside another":           func(m *Machine) { m.Resolver.Servers = append(m.Resolver.Servers, address("127.0.0.53")) },
		"a resolver of a cloud, link-local and routed":    func(m *Machine) { m.Resolver.Servers = []netip.Addr{address("169.254.169.253")} },
		"a name that stands for two, one of this machine": func(m *Machine) { m.Name.Resolves = []netip.Addr{address("203.0.113.9"), address("192.0.2.10")} },
		"a name that was not looked up":                   func(m *Machine) { m.Name = Name{Hostname: "node-1"} },
		"an endpoint that answers, and refuses":           func(m *Machine) { m.Endpoint.Dial = Refused },
		"an endpoint that is this machine":                func(m *Machine) { m.Endpoint = Endpoint{Looked: true, Addresses: []netip.Addr{address("192.0.2.10")}} },
		"a proxy that is not asked for the cluster":       func(m *Machine) { m.Proxy = Proxy{URL: "http://proxy:3128"} },
		"a CNI file that may be of this cluster":          func(m *Machine) { m.CNI = CNI{Left: "/etc/cni/net.d/10-flannel.conflist"} },
		"an etcd elsewhere with an odd version":           func(m *Machine) { m.External[0].Version = "" },
		"a static pod of the user's that is known": func(m *Machine) {
			m.Foreign.Served, m.Foreign.Manifests = true, []Manifest{{Path: "/m/x.yaml", Name: "default/x", Ports: anywhere(80)}}
		},
	} {
		m := goodMachine()
		change(m)
		if found := catalogue(t).Preflight(m); len(found) > 0 {
			t.Errorf("%s: %+v", what, found)
		}
	}
}
