package observe

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/machine"
	"bootstrap/phases/spec"
)

// TestGather: who hangs is left behind and named, and can't write any more; notes are
// made in the order of the parts.
func TestGather(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	release := make(chan bool)
	defer close(release)
	var m diagnose.Machine
	addMasked := func(name string, wait time.Duration) part {
		return part{name, func(context.Context) (note, error) {
			time.Sleep(wait)
			return func(m *diagnose.Machine) { m.Masked = append(m.Masked, name) }, nil
		}}
	}
	gather(ctx, &m, []part{
		addMasked("slow", 20*time.Millisecond),
		{"hangs", func(context.Context) (note, error) { <-release; return nil, nil }},
		{"fails", func(context.Context) (note, error) { return nil, errors.New("closed") }},
		addMasked("quick", 0),
	})
	if diff := cmp.Diff([]string{"slow", "quick"}, m.Masked); diff != "" {
		t.Error(diff)
	}
	if len(m.Unread) != 2 || !strings.HasPrefix(m.Unread[0], "hangs: not in time") || m.Unread[1] != "fails: closed" {
		t.Errorf("unread: %q", m.Unread)
	}
}

// machine is what is also looked at while a wait goes on.
func (o *Observer) machine(ctx context.Context) *diagnose.Machine {
	m := &diagnose.Machine{Settings: o.settings(Begun), Now: time.Now()}
	gather(ctx, m, o.quickParts(o.usedDisks))
	return m
}

func TestFactsBecomeAMachine(t *testing.T) {
	env := testEnv(t, "default")
	env.Facts = machine.Facts{Kernel: "4.18.0", CPUs: 1, Memory: 1 << 30, CgroupVersion: 1, Swap: true, ResolvConf: true}
	hosttest.Put(t, env.Host, "/etc/resolv.conf", "nameserver 127.0.0.53\n", 0o644)
	hosttest.Put(t, env.Host, "/proc/sys/fs/inotify/max_user_watches", "100\n", 0o644)
	var ids []string
	for _, f := range catalogue(t).Preflight(env.machine(t.Context())) {
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
	env := testEnv(t, "default")
	env.Facts.ResolvConf = true
	found, ok := diagnose.First(catalogue(t).Causes(&diagnose.Evidence{Machine: *env.machine(t.Context())}))
	if !ok || found.ID != "resolver-file-missing" || !strings.Contains(found.What, "/etc/resolv.conf is not there") {
		t.Errorf("%+v", found)
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

func TestAddressNote(t *testing.T) {
	ours, other := netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("198.51.100.7")
	m := &diagnose.Machine{Settings: diagnose.Settings{AdvertiseAddress: ours}, Network: diagnose.Network{
		Addresses: []machine.LinkAddress{{Link: "eth0", Address: ours}, {Link: "docker0", Address: netip.MustParseAddr("172.17.0.1"), Containers: true}},
		Defaults:  []string{"eth0"},
	}}
	if got := addressNote(m); got != "" {
		t.Errorf("with one address: %s", got)
	}
	m.Network.Addresses = append(m.Network.Addresses, machine.LinkAddress{Link: "eth1", Address: other})
	const want = `address 192.0.2.10 of eth0, which has the default route; there is 198.51.100.7 (eth1) as well: localAPIEndpoint.advertiseAddress chooses`
	if got := addressNote(m); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestForeignOnDisk(t *testing.T) {
	env := testEnv(t, "default")
	hosttest.Put(t, env.Host, "/etc/kubernetes/manifests/web", "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {hostNetwork: true, containers: [{ports: [{containerPort: 80}]}]}}", 0o600)
	hosttest.Put(t, env.Host, "/etc/kubernetes/manifests/notes.txt", "to do: [", 0o600)
	hosttest.Put(t, env.Host, "/etc/kubernetes/manifests/.swp", "x", 0o600)
	hosttest.Put(t, env.Host, "/etc/kubernetes/manifests/etcd.yaml", "x", 0o600) // an error of its own
	manifests := env.foreignManifests()
	if len(manifests) != 2 || manifests[0].Path != "/etc/kubernetes/manifests/notes.txt" || manifests[0].Error == "" {
		t.Fatalf("%+v", manifests)
	}
	if diff := cmp.Diff(diagnose.Manifest{Path: "/etc/kubernetes/manifests/web", Name: "default/web", Ports: []int{80}}, manifests[1]); diff != "" {
		t.Error(diff)
	}
	hosttest.Put(t, env.Host, "/etc/cni/net.d/10-calico.conflist", `{"plugins": [{"type": "calico"}, {"type": "portmap"}]}`, 0o600)
	hosttest.Put(t, env.Host, "/opt/cni/bin/portmap", "x", 0o755)
	if got := reopen(env).missingPlugins(); len(got) != 1 || got[0] != "calico, in /etc/cni/net.d/10-calico.conflist" {
		t.Errorf("missing plugins: %q", got)
	}
}

// TestExternalEtcdIsAsked: its version, or why there is none.
func TestExternalEtcdIsAsked(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			_, _ = w.Write([]byte(`{"etcdserver":"3.4.30","etcdcluster":"3.4.0"}`))
		}
	}))
	defer server.Close()
	env := testEnv(t, "default")
	env.Config.Etcd = config.Etcd{External: &config.ExternalEtcd{Endpoints: []string{server.URL, "http://127.0.0.1:1"}}}
	note, err := env.askExternalEtcd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var m diagnose.Machine
	note(&m)
	if len(m.External) != 2 || m.External[0].Version != "3.4.30" || m.External[0].Error != "" || !strings.Contains(m.External[1].Error, "refused") {
		t.Errorf("%+v", m.External)
	}
	hosttest.Put(t, env.Host, "/etc/other", "", 0o600)
	env.Config.Etcd.External.CAFile = "/etc/none.crt"
	if note, err = env.askExternalEtcd(t.Context()); err != nil {
		t.Fatal(err)
	}
	note(&m)
	if !strings.Contains(m.External[0].Error, "/etc/none.crt") {
		t.Errorf("without its CA: %+v", m.External)
	}
}

func TestCutsOff(t *testing.T) {
	for _, c := range []struct {
		chain    string
		nftables bool
		want     bool
	}{
		{"ip filter FORWARD", true, true},
		{"ip filter FORWARD", false, false}, // flannel lets its pods pass there
		{"inet lan through", false, true},
		{"ip6 filter FORWARD", true, false}, // no pod has such an address
	} {
		env := testEnv(t, "default")
		env.Facts.NFTables = c.nftables
		if env.cutsOff(c.chain) {
			t.Errorf("%+v: the network is not ours", c)
		}
		if _, err := env.Host.WriteFile(spec.NetworkFile, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := reopen(env).cutsOff(c.chain); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

// TestNoMeasureBesideEtcd: an etcd of ours would have to wait for the disk.
func TestNoMeasureBesideEtcd(t *testing.T) {
	env := testEnv(t, "default")
	if _, err := env.Host.WriteFile(spec.ManifestFile("etcd"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if note, err := env.measureDisk(t.Context()); note != nil || err != nil {
		t.Errorf("it measures: %v", err)
	}
}

// TestBusyEtcd: what may pass is told from what does not.
func TestBusyEtcd(t *testing.T) {
	for code, slow := range map[int]bool{http.StatusServiceUnavailable: true, http.StatusNotFound: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		defer server.Close()
		if got := askEtcd(t.Context(), server.Client(), server.URL); got.Slow != slow || got.Error == "" {
			t.Errorf("%d: %+v", code, got)
		}
	}
	release := make(chan bool)
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer silent.Close()
	defer close(release)
	if got := askEtcd(t.Context(), silent.Client(), silent.URL); !got.Slow || got.Error == "" {
		t.Errorf("silent: %+v", got)
	}
}
