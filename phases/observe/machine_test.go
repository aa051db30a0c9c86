package observe

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/machine"
	"bootstrap/phases/spec"
)

// lookAtMachine is what is also looked at while a wait goes on.
func lookAtMachine(t *testing.T, o *Observer) *diagnose.Machine {
	t.Helper()
	m := &diagnose.Machine{Settings: o.settings(Begun), Now: time.Now()}
	new(Looks).gather(t.Context(), m, o.quickParts(o.usedDisks))
	return m
}

func TestFactsBecomeAMachine(t *testing.T) {
	o := testObserver(t, "default")
	o.Facts = machine.Facts{Kernel: "4.18.0", CPUs: 1, Memory: 1 << 30, CgroupVersion: 1, Swap: true, ResolvConf: true}
	hosttest.Put(t, o.Host, "/etc/resolv.conf", "nameserver 127.0.0.53\n", 0o644)
	hosttest.Put(t, o.Host, "/proc/sys/fs/inotify/max_user_watches", "100\n", 0o644)
	var ids []string
	for _, f := range o.Catalogue.Preflight(lookAtMachine(t, o)) {
		ids = append(ids, f.ID)
	}
	for _, want := range []string{"no-systemd", "few-cpus", "little-memory", "old-kernel", "swap-on", "no-oom-scores", "cgroup-v1", "inotify-low", "resolver-loops"} {
		if !slices.Contains(ids, want) {
			t.Errorf("%s is not among %v", want, ids)
		}
	}
}

// TestMissingResolverFile: the kubelet is told that file, and pods would not start.
func TestMissingResolverFile(t *testing.T) {
	o := testObserver(t, "default")
	o.Facts.ResolvConf = true
	found, ok := diagnose.First(o.Catalogue.Causes(&diagnose.Evidence{Machine: *lookAtMachine(t, o)}))
	if !ok || found.ID != "resolver-file-missing" || !strings.Contains(found.What, "/etc/resolv.conf is not there") {
		t.Errorf("%+v", found)
	}
}

// TestOwnResolver: the config can say that there is none.
func TestOwnResolver(t *testing.T) {
	o := testObserver(t, "default")
	given := *o.Config
	given.Kubelet = map[string]any{"resolvConf": ""}
	o.Config = &given
	m := lookAtMachine(t, o)
	if !m.Resolver.Read || !m.Resolver.Own || m.Resolver.File != "" || !m.System.Read {
		t.Errorf("got %+v, system read: %t", m.Resolver, m.System.Read)
	}
}

// TestUsedDisks: the root of an image-based system is read-only, and so may be
// programs that nobody installs.
func TestUsedDisks(t *testing.T) {
	o := testObserver(t, "default")
	o.Bundle = nil
	for _, d := range o.usedDisks() {
		if d.Path == "/" || d.Path == spec.BinDir {
			t.Errorf("init without a bundle does not write to %s", d.Path)
		}
	}
}

func TestNetworkOf(t *testing.T) {
	prefix, ours := netip.MustParsePrefix, netip.MustParseAddr("192.0.2.10")
	got := networkOf(ours, []machine.LinkAddress{{Link: "eth0", Address: ours}}, []machine.Route{
		{To: prefix("0.0.0.0/0"), Link: "eth0"}, {To: prefix("0.0.0.0/0"), Link: "eth0", Metric: 9},
		{To: prefix("0.0.0.0/0"), Link: "wlan0", Metric: 600}, {To: prefix("::/0"), Link: "tun0"},
		{To: prefix("10.244.0.0/24"), Link: spec.BridgeName}, {To: prefix("10.244.1.0/24"), Link: "flannel.1"},
		{To: prefix("fe80::/64"), Link: "eth0"}, {To: prefix("192.0.2.0/24"), Link: "eth0"},
	})
	want := diagnose.Network{
		Addresses: []machine.LinkAddress{{Link: "eth0", Address: ours}}, Defaults: []string{"eth0", "wlan0"},
		Routes: []machine.Route{{To: prefix("192.0.2.0/24"), Link: "eth0"}},
	}
	equal := cmp.Comparer(func(a, b machine.LinkAddress) bool { return a == b })
	if diff := cmp.Diff(want, got, equal, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}
