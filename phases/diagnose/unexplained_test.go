package diagnose

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/machine"
	"bootstrap/phases/runtime"
)

// TestUnexplained: that a machine has too much to do is said, and only then.
func TestUnexplained(t *testing.T) {
	for crowding, want := range map[float64][]string{
		1.9: nil,
		3.2: {"the machine is busy: 3.2 processes for each CPU; a longer --timeout may be enough"},
	} {
		e := &Evidence{Machine: Machine{Crowding: crowding}}
		if got := catalogue(t).Unexplained(e, "not healthy"); !slices.Equal(got.Excerpt, want) {
			t.Errorf("%v processes for each CPU: %q", crowding, got.Excerpt)
		}
	}
}

// TestSaidOfWhatIsAwaited: what daemons say of the pod, node or address that is awaited comes first, the
// newest of each, and before that the machine is busy.
func TestSaidOfWhatIsAwaited(t *testing.T) {
	const (
		proxied   = `E1125 03:44:50.000000 129 kubelet_node_status.go:107] "Unable to register node with API server" err="Post \"https://10.0.0.1:6443/api/v1/nodes\": proxyconnect tcp: dial tcp 192.0.2.80:3128: i/o timeout" node="n1"`
		ofAnother = `E1125 03:44:59.000000 129 pod_workers.go:1338] "Error syncing pod, skipping" err="x" pod="shop/cart-7d" podUID="u"`
		tooEarly  = `E1125 03:44:55.000000 129 pod_workers.go:1338] "Error syncing pod, skipping" err="services have not yet been read at least once" pod="kube-system/etcd-n1" podUID="u"`
		backOff   = `E1125 03:44:56.000000 129 pod_workers.go:1338] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"etcd\" with CrashLoopBackOff" pod="kube-system/etcd-n1" podUID="u"`
		noSandbox = `time="2026-11-25T03:44:51Z" level=error msg="RunPodSandbox for &PodSandboxMetadata{Name:etcd-n1,Uid:u,Namespace:kube-system,Attempt:0,} failed, error" error="write /tmp/x: no space left on device"`
		harmless  = `time="2026-11-25T03:44:52Z" level=info msg="RunPodSandbox for &PodSandboxMetadata{Name:etcd-n1,Uid:u,Namespace:kube-system,Attempt:0,}"`
	)
	e := podsFail(proxied, tooEarly, backOff, ofAnother)
	e.Crowding, e.Settings.AdvertiseAddress = 9, netip.MustParseAddr("10.0.0.1")
	e.Journal[containerdUnit] = logged(time.Second, noSandbox, harmless)
	got := catalogue(t).Unexplained(e, "not healthy").Excerpt
	want := []string{proxied, noSandbox, "the machine is busy: 9.0 processes for each CPU; a longer --timeout may be enough", ofAnother}
	if diff := cmp.Diff(want, shortened(got)); diff != "" {
		t.Error(diff)
	}
	pod := usersPod(proxied, strings.ReplaceAll(ofAnother, "shop/cart-7d", "shop/web-n1"))
	if got := catalogue(t).Unexplained(pod, "not healthy"); len(got.Excerpt) != 1 || !strings.Contains(got.Excerpt[0], "shop/web-n1") {
		t.Errorf("of a user's pod: %q", got.Excerpt)
	}
}

func shortened(lines []string) []string {
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "...")
	}
	return lines
}

// TestNoResetOfTheUsers: where the user's own pod is awaited, no hint is to undo what init made.
func TestNoResetOfTheUsers(t *testing.T) {
	alone := &Evidence{Machine: Machine{Settings: Settings{Standalone: true}}}
	for _, e := range []*Evidence{usersPod(), alone} {
		if f := catalogue(t).Unexplained(e, "not healthy"); f.Remedy == "" || strings.Contains(f.Remedy, "reset") {
			t.Errorf("its remedy: %q", f.Remedy)
		}
	}
	for _, entry := range catalogue(t) {
		if strings.Contains(entry.Mend, "bootstrap reset") {
			t.Errorf("%s: %s", entry.ID, entry.Mend)
		}
	}
}

// TestNoRoom: a full folder that nobody looks at is named by what a daemon says of it. The kernel says the
// same of inotify watches and cgroups, and the kubelet's and etcd's folders have entries of their own.
func TestNoRoom(t *testing.T) {
	says := func(line string) *Evidence {
		e := podsFail()
		e.Journal[containerdUnit] = logged(time.Second, line)
		return e
	}
	for _, c := range []causeTest{
		{"/tmp", says(`level=error msg="x" error="mkdir /tmp/containerd-mount12: no space left on device"`), "disk-full", Warning, []string{"containerd can't write /tmp/containerd-mount12"}},
		{"the kubelet says so", podsFail(`E1125 03:44:50.0 1 x.go:1] "y" err="open \"/tmp/z\": no space left on device"`), "disk-full", Warning, []string{"kubelet can't write /tmp/z"}},
		{"watches", says(`level=error msg="inotify_add_watch /etc/cni/net.d: no space left on device"`), "", "", nil},
		{"cgroups", says(`level=error error="mkdir /sys/fs/cgroup/kubepods: no space left on device"`), "", "", nil},
		{"etcd's data", says(`level=error error="open /var/lib/etcd/x: no space left on device"`), "", "", nil},
	} {
		t.Run(c.name, c.run)
	}
}

// TestBlocked: a manifest that was changed while the kubelet ran, and of which it makes no pod for over a
// minute, though it makes others. A slow start, a kubelet that says why, and one that has met its API
// server look alike, and are not blamed.
func TestBlocked(t *testing.T) {
	blocked := func(change func(*Evidence)) *Evidence {
		e := podsFail()
		e.Settings.StaticPodDir, e.API = "/m", Server{Address: "10.0.0.1:6443", Dial: Refused}
		e.Units[kubeletUnit] = machine.UnitState{Load: "loaded", Active: "active", Started: lookedAt.Add(-5 * time.Minute)}
		e.Manifests = []Manifest{{Path: "/m/kube-apiserver.yaml", Name: "kube-system/kube-apiserver", Ours: true, Changed: lookedAt.Add(-2 * time.Minute)}}
		e.Pods = []runtime.Sandbox{{Namespace: "kube-system", Name: "etcd-n1", UID: "uid-etcd", Ready: true, Created: lookedAt.Add(-100 * time.Second)}}
		change(e)
		return e
	}
	for _, c := range []causeTest{
		{"blocked", blocked(func(*Evidence) {}), "static-pod-blocked", Warning, []string{"/m/kube-apiserver.yaml"}},
		{"the pod of before runs", blocked(func(e *Evidence) {
			e.Pods = append(e.Pods, runtime.Sandbox{Namespace: "kube-system", Name: "kube-apiserver-n1", UID: "uid-old", Created: lookedAt.Add(-4 * time.Minute)})
		}), "static-pod-blocked", Warning, nil},
		{"it has its pod", blocked(func(e *Evidence) {
			e.Pods = append(e.Pods, runtime.Sandbox{Namespace: "kube-system", Name: "kube-apiserver-n1", UID: "uid-api", Created: lookedAt.Add(-time.Minute)})
		}), "", "", nil},
		{"the kubelet came after the change", blocked(func(e *Evidence) {
			e.Units[kubeletUnit] = machine.UnitState{Load: "loaded", Active: "active", Started: lookedAt.Add(-time.Minute)}
		}), "", "", nil},
		{"it makes no pod at all", blocked(func(e *Evidence) { e.Pods = nil }), "", "", nil},
		{"not long ago", blocked(func(e *Evidence) { e.Manifests[0].Changed = lookedAt.Add(-30 * time.Second) }), "", "", nil},
		{"a busy machine", blocked(func(e *Evidence) { e.Crowding = 3 }), "", "", nil},
		{"the API server answers", blocked(func(e *Evidence) { e.API.Dial = Open }), "", "", nil},
	} {
		t.Run(c.name, c.run)
	}
}
