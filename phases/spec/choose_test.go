package spec

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/bundle"
	"bootstrap/phases/config"
	"bootstrap/phases/config/configtest"
	"bootstrap/phases/machine"
	"bootstrap/phases/netfilter"
	"bootstrap/phases/plan/plantest"
	"bootstrap/templates"
)

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
			if diff := cmp.Diff(c.want, KubeletArgs(cfg)); diff != "" {
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
			env := &Spec{Config: configtest.Valid(t, "default"), Facts: c.facts}
			if diff := cmp.Diff(want, env.kubeletConfig("unix:///x")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	ipv6 := (&Spec{Config: configtest.Valid(t, "ipv6"), Facts: machine.Facts{SysResource: true}}).kubeletConfig("")
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
		for _, p := range Ports(configtest.Valid(t, name)) {
			got = append(got, p.Owner+" "+p.Address.String())
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
	for _, p := range Ports(c) {
		got = append(got, p.Owner+" "+p.Address.String())
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
	if line := fmt.Sprint(EtcdPod(c, OnlyMember(c)).Pod); strings.Contains(line, "election-timeout") {
		t.Errorf("an election after less than five heartbeats: %s", line)
	}
}

// TestExternalFilesInCAFolder: what is mounted already is not mounted twice, which the
// kubelet would refuse.
func TestExternalFilesInCAFolder(t *testing.T) {
	c := configtest.Valid(t, "default")
	c.Etcd.External = &config.ExternalEtcd{CAFile: "/etc/ssl/certs/ca.crt", CertFile: "/srv/etcd/client.crt", KeyFile: "/srv/etcd/client.key"}
	got := externalEtcdMounts(c, []templates.Mount{HostFolder("ca-certs", "/etc/ssl/certs")})
	if len(got) != 1 || got[0].MountPath != "/srv/etcd" {
		t.Errorf("%+v", got)
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
		if got := ProxySettings(c.config, c.facts); len(got) != c.want {
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
		if got := ProxyRules(ProxyMode(c.config, c.facts)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v, want %+v", got, c.want)
		}
	}
}

// TestMountedOver: the user's folder takes the place of ours.
func TestMountedOver(t *testing.T) {
	ours := []templates.Mount{HostFolder("ca-certs", "/etc/ssl/certs"), HostFolder("etc-ca-certificates", "/etc/ca-certificates")}
	users := []templates.Mount{{Name: "own", HostPath: "/srv/certs", MountPath: "/etc/ssl/certs"}, {Name: "audit", HostPath: "/srv/audit", MountPath: "/audit"}}
	if diff := cmp.Diff([]templates.Mount{ours[1], users[0], users[1]}, mountedOver(ours, users)); diff != "" {
		t.Error(diff)
	}
}
