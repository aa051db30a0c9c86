package phases

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/bundle"
	"bootstrap/phases/config"
	"bootstrap/phases/config/configtest"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/machine"
	"bootstrap/phases/netfilter"
	"bootstrap/phases/plan/plantest"
	"bootstrap/templates"
)

func TestChooseRuntime(t *testing.T) {
	const own = "unix:///run/containerd/containerd.sock"
	const crio = "/run/crio/crio.sock"
	cases := []struct {
		name     string
		found    foundRuntimes
		endpoint string
		install  bool
		why      string
		err      []string
	}{
		{name: "fresh machine, bundle", found: foundRuntimes{bundled: true},
			endpoint: own, install: true, why: "this machine has no container runtime"},
		{name: "fresh machine, no bundle",
			err: []string{"no container runtime on this machine, and no bundle", "--bundle FILE"}},
		{name: "again", found: foundRuntimes{ours: true, sockets: []string{containerdSocket}, bundled: true},
			endpoint: own, install: true, why: "installed by bootstrap"},
		{name: "again, before containerd ran", found: foundRuntimes{ours: true, bundled: true},
			endpoint: own, install: true, why: "installed by bootstrap"},
		{name: "containerd runs", found: foundRuntimes{sockets: []string{containerdSocket}, bundled: true},
			endpoint: own, why: "it is there already, and stays as it is"},
		{name: "cri-o runs", found: foundRuntimes{sockets: []string{crio}, bundled: true},
			endpoint: "unix://" + crio, why: "it is there already, and stays as it is"},
		{name: "containerd is installed, stopped", found: foundRuntimes{program: "/usr/bin/containerd", bundled: true},
			endpoint: own, why: "/usr/bin/containerd is installed already, and stays as it is"},
		{name: "two run", found: foundRuntimes{sockets: []string{containerdSocket, crio}, bundled: true},
			err: []string{"several container runtimes: " + containerdSocket + ", " + crio, "nodeRegistration.criSocket: unix://" + containerdSocket}},
		{name: "two run, one is configured", found: foundRuntimes{configured: "unix://" + crio, sockets: []string{containerdSocket, crio}},
			endpoint: "unix://" + crio, why: "nodeRegistration.criSocket names it"},
		{name: "configured, not there yet", found: foundRuntimes{configured: "unix:///run/other.sock", bundled: true},
			endpoint: "unix:///run/other.sock", why: "nodeRegistration.criSocket names it"},
		{name: "configured, and ours", found: foundRuntimes{configured: own, ours: true, bundled: true},
			endpoint: own, install: true, why: "installed by bootstrap"},
		{name: "configured, nobody there, bundle", found: foundRuntimes{configured: own, sockets: []string{crio}, bundled: true},
			endpoint: own, install: true, why: "nodeRegistration.criSocket names it, and nothing listens there"},
		{name: "configured, nobody there, no bundle", found: foundRuntimes{configured: own},
			endpoint: own, why: "nodeRegistration.criSocket names it"},
		{name: "configured, installed, stopped", found: foundRuntimes{configured: own, program: "/usr/bin/containerd", bundled: true},
			endpoint: own, why: "nodeRegistration.criSocket names it"},
		{name: "configured, though ours is another", found: foundRuntimes{configured: "unix://" + crio, ours: true, sockets: []string{containerdSocket, crio}},
			endpoint: "unix://" + crio, why: "nodeRegistration.criSocket names it"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := c.found.choose()
			if len(c.err) > 0 {
				plantest.CheckError(t, got.None, c.err...)
				return
			}
			if diff := cmp.Diff(Runtime{Endpoint: c.endpoint, Install: c.install, Why: c.why}, got); got.None != nil || diff != "" {
				t.Errorf("%v %s", got.None, diff)
			}
		})
	}
}

func TestChooseKubelet(t *testing.T) {
	const want = "v1.36.3"
	own := Kubelet{Path: "/usr/local/bin/kubelet", Install: true, Why: "from the bundle"}
	found := func(program, version, bundled string) foundKubelets {
		return foundKubelets{want: want, program: program, version: version, bundled: bundled}
	}
	cases := []struct {
		name  string
		found foundKubelets
		want  Kubelet
		err   []string
	}{
		{"fresh machine, bundle", found("", "", want), own, nil},
		{"fresh machine, no bundle", found("", "", ""), Kubelet{},
			[]string{"no kubelet on this machine, and no bundle", "install kubelet v1.36.3"}},
		{"right one is there", found("/usr/bin/kubelet", want, want),
			Kubelet{Path: "/usr/bin/kubelet", Why: "it is installed already, in the version wanted"}, nil},
		{"right one is there, no bundle", found("/usr/bin/kubelet", want, ""),
			Kubelet{Path: "/usr/bin/kubelet", Why: "it is installed already, in the version wanted"}, nil},
		{"wrong one is there, bundle", found("/usr/bin/kubelet", "v1.34.0", want), own, nil},
		{"wrong one is there, no bundle", found("/usr/bin/kubelet", "v1.34.0", ""), Kubelet{},
			[]string{"/usr/bin/kubelet is v1.34.0, want v1.36.3", "kubernetesVersion: v1.34.0"}},
		{"wrong one where ours would be", found("/usr/local/bin/kubelet", "v1.34.0", want), Kubelet{},
			[]string{"/usr/local/bin/kubelet is v1.34.0, want v1.36.3", "remove it"}},
		{"installed by a run with a bundle", foundKubelets{want: want, installed: want},
			Kubelet{Path: "/usr/local/bin/kubelet", Install: true, Why: "installed by bootstrap"}, nil},
		{"installed, beside a wrong one", foundKubelets{want: want, program: "/usr/bin/kubelet", version: "v1.34.0", installed: want},
			Kubelet{Path: "/usr/local/bin/kubelet", Install: true, Why: "installed by bootstrap"}, nil},
		{"another is installed", foundKubelets{want: want, installed: "v1.36.2"}, Kubelet{},
			[]string{"no kubelet", "install kubelet v1.36.3"}},
		{"bundle of another version", found("", "", "v1.36.2"), Kubelet{}, []string{"the bundle's kubelet is v1.36.2, want v1.36.3"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := c.found.choose()
			if len(c.err) > 0 {
				plantest.CheckError(t, got.None, c.err...)
				got.None = nil
			}
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestKubeletArgs(t *testing.T) {
	plain := []string{"--config=/var/lib/kubelet/config.yaml", "--kubeconfig=/etc/kubernetes/kubelet.conf", "--node-ip=192.0.2.10", "--hostname-override=node-1"}
	with := func(more ...string) []string { return append(plain[:4:4], more...) }
	cases := []struct {
		name   string
		change func(*config.Config)
		want   []string
	}{
		{"default", func(*config.Config) {}, plain},
		{"taints", func(c *config.Config) {
			c.Taints = []config.Taint{{Key: "a/b", Effect: "NoSchedule"}, {Key: "c", Value: "d", Effect: "NoExecute"}}
		}, with("--register-with-taints=a/b=:NoSchedule,c=d:NoExecute")},
		{"override", func(c *config.Config) {
			c.KubeletExtraArgs = []config.Arg{{Name: "node-ip", Value: "203.0.113.1"}, {Name: "v", Value: "5"}}
		}, []string{plain[0], plain[1], plain[3], "--node-ip=203.0.113.1", "--v=5"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cfg := configtest.Valid(t, "default")
			c.change(cfg)
			if diff := cmp.Diff(c.want, kubeletArgs(cfg)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestResolvConf(t *testing.T) {
	cases := []struct {
		facts machine.Facts
		want  string
	}{
		{machine.Facts{}, ""},
		{machine.Facts{ResolvConf: true}, "/etc/resolv.conf"},
		{machine.Facts{ResolvConf: true, ResolvedConf: true}, "/run/systemd/resolve/resolv.conf"},
		{machine.Facts{ResolvedConf: true}, "/run/systemd/resolve/resolv.conf"},
	}
	for _, c := range cases {
		if got := resolvConf(c.facts); got != c.want {
			t.Errorf("%+v: %q, want %q", c.facts, got, c.want)
		}
	}
}

func TestKubeletConfigFollowsFacts(t *testing.T) {
	cases := []struct {
		name   string
		facts  machine.Facts
		change func(*templates.KubeletConfig)
	}{
		{"plain", machine.Facts{CgroupVersion: 2, SysResource: true}, func(*templates.KubeletConfig) {}},
		{"swap", machine.Facts{CgroupVersion: 2, SysResource: true, Swap: true}, func(k *templates.KubeletConfig) { k.FailSwapOn = false }},
		{"cgroup 1", machine.Facts{CgroupVersion: 1, SysResource: true}, func(k *templates.KubeletConfig) { k.FailCgroupV1 = false }},
		{"no CAP_SYS_RESOURCE", machine.Facts{CgroupVersion: 2}, func(k *templates.KubeletConfig) {
			k.FeatureGates, k.RestrictOOMScoreAdj = []string{"KubeletInUserNamespace"}, true
		}},
		{"resolver", machine.Facts{CgroupVersion: 2, SysResource: true, ResolvConf: true}, func(k *templates.KubeletConfig) { k.ResolvConf = "/etc/resolv.conf" }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			want := templates.KubeletConfig{
				StaticPodPath: "/etc/kubernetes/manifests", RuntimeEndpoint: "unix:///x", ClusterDNS: "10.96.0.10", ClusterDomain: "cluster.local",
				ClientCA: "/etc/kubernetes/pki/ca.crt", Loopback: "127.0.0.1", FailSwapOn: true, FailCgroupV1: true,
			}
			c.change(&want)
			env := &Env{Config: configtest.Valid(t, "default"), Facts: c.facts}
			if diff := cmp.Diff(want, env.kubeletConfig("unix:///x")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	ipv6 := (&Env{Config: configtest.Valid(t, "ipv6"), Facts: machine.Facts{SysResource: true}}).kubeletConfig("")
	if ipv6.ClusterDNS != "fd00:10:96::a" || ipv6.Loopback != "::1" {
		t.Errorf("DNS at %s, loopback %s", ipv6.ClusterDNS, ipv6.Loopback)
	}
}

func TestPorts(t *testing.T) {
	cases := map[string][]string{
		"default": {
			"kube-apiserver 0.0.0.0:6443",
			"kubelet health 127.0.0.1:10248", "kubelet 0.0.0.0:10250", "kube-controller-manager 127.0.0.1:10257", "kube-scheduler 127.0.0.1:10259",
			"kube-proxy metrics 127.0.0.1:10249", "kube-proxy health 0.0.0.0:10256",
			"etcd clients 127.0.0.1:2379", "etcd peers 192.0.2.10:2380", "etcd metrics 127.0.0.1:2381",
		},
		"endpoint-ipv6": {
			"kube-apiserver [::]:7443",
			"kubelet health [::1]:10248", "kubelet [::]:10250", "kube-controller-manager [::1]:10257", "kube-scheduler [::1]:10259",
			"kube-proxy metrics [::1]:10249", "kube-proxy health [::]:10256",
			"etcd clients [::1]:2379", "etcd peers [2001:db8::10]:2380", "etcd metrics [::1]:2381",
		},
		"external-etcd": {
			"kube-apiserver 0.0.0.0:6443",
			"kubelet health 127.0.0.1:10248", "kubelet 0.0.0.0:10250", "kube-controller-manager 127.0.0.1:10257", "kube-scheduler 127.0.0.1:10259",
			"kube-proxy metrics 127.0.0.1:10249", "kube-proxy health 0.0.0.0:10256",
		},
	}
	for name, want := range cases {
		var got []string
		for _, p := range ports(configtest.Valid(t, name)) {
			got = append(got, p.owner+" "+p.address.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestConfiguredPorts: what has another port, or none, does not need the usual one.
func TestConfiguredPorts(t *testing.T) {
	c := configtest.Valid(t, "external-etcd")
	c.Kubelet = map[string]any{"port": uint64(10350), "healthzPort": 0}
	c.KubeProxy = map[string]any{"metricsBindAddress": "127.0.0.1:10349", "healthzBindAddress": ""}
	c.ControllerManager.ExtraArgs = []config.Arg{{Name: "secure-port", Value: "10357"}}
	var got []string
	for _, p := range ports(c) {
		got = append(got, p.owner+" "+p.address.String())
	}
	want := []string{
		"kube-apiserver 0.0.0.0:6443", "kubelet 0.0.0.0:10350", "kube-controller-manager 127.0.0.1:10357", "kube-scheduler 127.0.0.1:10259",
		"kube-proxy metrics 127.0.0.1:10349", "kube-proxy health 0.0.0.0:10256",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestEtcdElsewhereOnNode: the API server follows where the user has etcd listen, and etcd's
// times fit each other.
func TestEtcdElsewhereOnNode(t *testing.T) {
	c := configtest.Valid(t, "default")
	c.Box.SingleNode = true
	c.Etcd.ExtraArgs = []config.Arg{{Name: "advertise-client-urls", Value: "https://192.0.2.10:2379"}, {Name: "heartbeat-interval", Value: "200"}}
	if got := config.Argument(etcdClientArgs(c), "etcd-servers"); got != "https://192.0.2.10:2379" {
		t.Errorf("etcd-servers %s", got)
	}
	if line := fmt.Sprint(etcdPod(c, onlyMember(c)).Pod); strings.Contains(line, "election-timeout") {
		t.Errorf("an election after less than five heartbeats: %s", line)
	}
}

// TestExternalFilesInCAFolder: what is mounted already is not mounted twice, which the
// kubelet would refuse.
func TestExternalFilesInCAFolder(t *testing.T) {
	c := configtest.Valid(t, "default")
	c.Etcd.External = &config.ExternalEtcd{CAFile: "/etc/ssl/certs/ca.crt", CertFile: "/srv/etcd/client.crt", KeyFile: "/srv/etcd/client.key"}
	got := externalEtcdMounts(c, []templates.Mount{hostFolder("ca-certs", "/etc/ssl/certs")})
	if len(got) != 1 || got[0].MountPath != "/srv/etcd" {
		t.Errorf("%+v", got)
	}
}

func TestCAMounts(t *testing.T) {
	dir := t.TempDir()
	at := func(p string) string { return filepath.Join(dir, p) }
	if got := caMounts(at); len(got) > 0 {
		t.Errorf("on a machine without: %v", got)
	}
	for _, p := range []string{"/usr/share/ca-certificates", "/etc/ssl/certs", "/etc/pki"} {
		if err := os.MkdirAll(at(p), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(at("/etc/pki/ca-trust"), nil, 0o644); err != nil { // no folder
		t.Fatal(err)
	}
	want := []templates.Mount{hostFolder("ca-certs", "/etc/ssl/certs"), hostFolder("usr-share-ca-certificates", "/usr/share/ca-certificates")}
	if diff := cmp.Diff(want, caMounts(at)); diff != "" {
		t.Error(diff)
	}
}

// componentDir is a folder as BundleSources wants it, of empty programs.
func componentDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for component, version := range map[string]string{
		"kubernetes": "v1.36.3", "etcd": "v3.6.8", "containerd": "v2.2.9", "runc": "v1.4.0", "cni": "v1.9.0", "coredns": "v1.14.2", "pause": "3.10.2", "flannel": "v0.28.10",
	} {
		setVersion(t, dir, component, version)
	}
	return dir
}

func setVersion(t *testing.T, dir, component, version string) {
	t.Helper()
	folder := filepath.Join(dir, component)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "VERSION"), []byte(version+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestBundleSources(t *testing.T) {
	dir := componentDir(t)
	kubernetes, sources, err := BundleSources(dir)
	if err != nil || kubernetes != "v1.36.3" {
		t.Fatalf("%s, %v", kubernetes, err)
	}
	got := map[string]bundle.Source{}
	for _, s := range sources {
		got[string(s.Kind)+" "+filepath.Base(s.File)] = s
	}
	images := config.NewImages(config.DefaultImageRepository, "v1.36.3")
	for key, want := range map[string]bundle.Source{
		"binary kubelet":   {Kind: bundle.Binary, Name: "kubelet", Version: "v1.36.3", File: dir + "/kubernetes/kubelet"},
		"cni bridge":       {Kind: bundle.CNI, Name: "bridge", Version: "v1.9.0", File: dir + "/cni/bridge"},
		"image etcd":       {Kind: bundle.Image, Name: images.Etcd, Version: "v3.6.8", File: dir + "/etcd/etcd"},
		"image pause":      {Kind: bundle.Image, Name: images.Pause, Version: "3.10.2", File: dir + "/pause/pause"},
		"image kube-proxy": {Kind: bundle.Image, Name: images.Proxy, Version: "v1.36.3", File: dir + "/kubernetes/kube-proxy", Tree: dir + "/netfilter/root"},
	} {
		if diff := cmp.Diff(want, got[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	for _, reference := range images.Required() {
		found := false
		for _, s := range sources {
			found = found || s.Kind == bundle.Image && s.Name == reference
		}
		if !found {
			t.Errorf("the control plane needs %s, which is not in the bundle", reference)
		}
	}
}

func TestBundleSourcesRefuses(t *testing.T) {
	cases := []struct{ name, component, version, want string }{
		{"etcd of another version", "etcd", "v3.5.0", "is built from etcd v3.5.0"},
		{"CoreDNS of another version", "coredns", "v1.13.0", "is built from coredns v1.13.0"},
		{"pause of another version", "pause", "3.9", "is built from pause 3.9"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := componentDir(t)
			setVersion(t, dir, c.component, c.version)
			_, sources, err := BundleSources(dir)
			plantest.CheckError(t, err, c.want)
			if sources != nil {
				t.Errorf("%d sources as well", len(sources))
			}
		})
	}
	_, _, err := BundleSources(t.TempDir())
	plantest.CheckError(t, err, "kubernetes/VERSION: no such file or directory")
}

// TestForeignFiles wants what others left to be found, and what is ours not.
func TestForeignFiles(t *testing.T) {
	env := testEnv(t, "default")
	if files, data := env.takenManifests(), env.foreignEtcdData(); files != nil || data != "" {
		t.Errorf("on a fresh machine: %v, %s", files, data)
	}
	hosttest.Put(t, env.Host, "/etc/kubernetes/manifests/etcd.yaml", "x", 0o600)
	hosttest.Put(t, env.Host, "/var/lib/etcd/member/wal", "x", 0o600)
	if files, data := env.takenManifests(), env.foreignEtcdData(); !slices.Equal(files, []string{"/etc/kubernetes/manifests/etcd.yaml"}) || data != "/var/lib/etcd" {
		t.Errorf("%v, %s", files, data)
	}

	ours := testEnv(t, "default")
	if err := (Plan{{etcdPhase}}).Run(t.Context(), ours); err != nil {
		t.Fatal(err)
	}
	hosttest.Put(t, ours.Host, "/var/lib/etcd/member/wal", "x", 0o600)
	if files, data := ours.takenManifests(), ours.foreignEtcdData(); files != nil || data != "" {
		t.Errorf("after our own etcd phase: %v, %s", files, data)
	}
}

func TestForeignPrograms(t *testing.T) {
	env := testEnv(t, "default")
	if got := env.foreignProgram("kubelet"); got != "" {
		t.Errorf("found %s on an empty machine", got)
	}
	if _, err := env.Host.WriteFile("/usr/local/bin/kubelet", []byte("ours"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := env.foreignProgram("kubelet"); got != "" {
		t.Errorf("%s is ours", got)
	}
	hosttest.Put(t, env.Host, "/usr/bin/kubelet", "theirs", 0o755)
	if got := env.foreignProgram("kubelet"); got != "/usr/bin/kubelet" {
		t.Errorf("found %q, want /usr/bin/kubelet", got)
	}
}

func TestForeignNetwork(t *testing.T) {
	env := testEnv(t, "default")
	hosttest.Put(t, env.Host, networkFile, "{}", 0o600)
	if got := env.foreignNetwork(); got != "" {
		t.Errorf("%s is ours", got)
	}
	for _, name := range []string{"10-crio-bridge.conflist.disabled", "05-cilium.conf.bak", ".10-bootstrap.conflist", "cilium-kubeconfig"} {
		hosttest.Put(t, env.Host, "/etc/cni/net.d/"+name, "{}", 0o600)
		if got := env.foreignNetwork(); got != "" {
			t.Errorf("no runtime reads %s", got)
		}
	}
	hosttest.Put(t, env.Host, "/etc/cni/net.d/05-cilium.conflist", "{}", 0o600)
	if got := env.foreignNetwork(); got != "/etc/cni/net.d/05-cilium.conflist" {
		t.Errorf("found %q", got)
	}
}

// TestProxySettings: what kube-proxy does not set, nothing of ours sets for it.
func TestProxySettings(t *testing.T) {
	v4 := config.Networking{ServiceSubnets: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12")}}
	v6 := config.Networking{ServiceSubnets: []netip.Prefix{netip.MustParsePrefix("fd00:10:96::/112")}}
	proxy := func(fields map[string]any) *config.Config {
		return &config.Config{Cluster: config.Cluster{Networking: v4, KubeProxy: fields}}
	}
	for name, c := range map[string]struct {
		config *config.Config
		facts  machine.Facts
		want   int
	}{
		"iptables by the kernel": {proxy(nil), machine.Facts{}, 1},
		"iptables by choice":     {proxy(map[string]any{"mode": "iptables"}), machine.Facts{NFTables: true}, 1},
		"nftables":               {proxy(nil), machine.Facts{NFTables: true}, 0},
		"no kube-proxy":          {&config.Config{Cluster: config.Cluster{Networking: v4, ProxyDisabled: true}}, machine.Facts{}, 0},
		"not at localhost":       {proxy(map[string]any{"iptables": map[string]any{"localhostNodePorts": false}}), machine.Facts{}, 0},
		"other addresses":        {proxy(map[string]any{"nodePortAddresses": []any{"primary"}}), machine.Facts{}, 0},
		"IPv6":                   {&config.Config{Cluster: config.Cluster{Networking: v6}}, machine.Facts{}, 0},
	} {
		if got := proxySettings(c.config, c.facts); len(got) != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestTakenRules: what kube-proxy and flannel would take for their own depends on how
// they write their rules.
func TestTakenRules(t *testing.T) {
	nft, iptables := machine.Facts{NFTables: true}, machine.Facts{}
	own := &config.Config{Cluster: config.Cluster{KubeProxy: map[string]any{"mode": "iptables"}}}
	for _, c := range []struct {
		config *config.Config
		facts  machine.Facts
		want   netfilter.Names
	}{
		{&config.Config{}, nft, netfilter.Names{Tables: proxyTables}},
		{&config.Config{}, iptables, netfilter.Names{Chains: []string{"KUBE-SERVICES", "KUBE-PROXY-"}}},
		{own, nft, netfilter.Names{Chains: []string{"KUBE-SERVICES", "KUBE-PROXY-"}}},
	} {
		if got := proxyRules(proxyMode(c.config, c.facts)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v, want %+v", got, c.want)
		}
	}
}

// TestMountedOver: the user's folder takes the place of ours.
func TestMountedOver(t *testing.T) {
	ours := []templates.Mount{hostFolder("ca-certs", "/etc/ssl/certs"), hostFolder("etc-ca-certificates", "/etc/ca-certificates")}
	users := []templates.Mount{{Name: "own", HostPath: "/srv/certs", MountPath: "/etc/ssl/certs"}, {Name: "audit", HostPath: "/srv/audit", MountPath: "/audit"}}
	if diff := cmp.Diff([]templates.Mount{ours[1], users[0], users[1]}, mountedOver(ours, users)); diff != "" {
		t.Error(diff)
	}
}

// TestNodeNetworkOnce: once flannel runs, cni-install keeps the file to the Node's range.
func TestNodeNetworkOnce(t *testing.T) {
	env := testEnv(t, "default")
	write := func() {
		t.Helper()
		if err := env.writeNodeNetwork(); err != nil {
			t.Fatal(err)
		}
	}
	write()
	hosttest.Put(t, env.Host, networkFile, "of cni-install", 0o600)
	hosttest.Put(t, env.Host, flannelTree+"/subnet.env", "", 0o644)
	write()
	if got, err := env.Host.ReadFile(networkFile); err != nil || string(got) != "of cni-install" {
		t.Errorf("%s, %v", got, err)
	}
	if err := os.Remove(env.Host.Path(networkFile)); err != nil {
		t.Fatal(err)
	}
	write()
	if !env.exists(networkFile) {
		t.Error("it is gone, and flannel may not run")
	}
}
