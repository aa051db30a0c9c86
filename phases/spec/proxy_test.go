package spec

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config"
	"bootstrap/phases/config/configtest"
	"bootstrap/phases/machine"
	"bootstrap/phases/netfilter"
)

func TestProxyConfig(t *testing.T) {
	c := configtest.Valid(t, "default")
	want := map[string]any{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
		"bindAddress": "0.0.0.0", "clientConnection": map[string]any{"kubeconfig": "/var/lib/kube-proxy/kubeconfig.conf"},
		"clusterCIDR": "10.244.0.0/16", "mode": "nftables",
	}
	if diff := cmp.Diff(want, proxyConfig(c, machine.Facts{NFTables: true})); diff != "" {
		t.Error(diff)
	}
	got := proxyConfig(configtest.Valid(t, "dual-stack"), machine.Facts{FixedConntrack: true})
	if got["mode"] != "iptables" || got["clusterCIDR"] != "10.244.0.0/16,fd00:10:244::/56" {
		t.Errorf("%v", got)
	}
	if _, ok := got["conntrack"]; !ok {
		t.Error("kube-proxy would end: it can't set conntrack's limits")
	}
	if got := proxyConfig(configtest.Valid(t, "ipv6"), machine.Facts{}); got["bindAddress"] != "::" {
		t.Errorf("%v", got)
	}
}

// TestProxyConfigOfUser wants the user's fields, and ours beside them.
func TestProxyConfigOfUser(t *testing.T) {
	c := configtest.Valid(t, "default")
	c.KubeProxy = map[string]any{"mode": "iptables", "clientConnection": map[string]any{"qps": 7}}
	addon, err := ProxyAddon(c, machine.Facts{NFTables: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"mode: iptables\n", "qps: 7\n", "kubeconfig: /var/lib/kube-proxy/kubeconfig.conf\n"} {
		if !strings.Contains(string(addon.Settings[1]), want) {
			t.Errorf("no %q in\n%s", want, addon.Settings[1])
		}
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
		"IPv6 alone":             {&config.Config{Cluster: config.Cluster{Networking: v6}}, machine.Facts{}, 1}, // of both families
	} {
		if got := ProxySettings(c.config, c.facts); len(got) != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestTakenRules: what kube-proxy and flannel would take for their own depends on how they write
// their rules.
func TestTakenRules(t *testing.T) {
	nft, iptables := machine.Facts{NFTables: true}, machine.Facts{}
	own := &config.Config{Cluster: config.Cluster{KubeProxy: map[string]any{"mode": "iptables"}}}
	foreign := Network{Foreign: "/etc/cni/net.d/10-calico.conflist"}
	for _, c := range []struct {
		config  *config.Config
		facts   machine.Facts
		network Network
		want    netfilter.Names
	}{
		{&config.Config{}, nft, Network{}, netfilter.Names{Tables: slices.Concat(proxyTables, flannelTables)}},
		{&config.Config{}, nft, foreign, netfilter.Names{Tables: proxyTables}},
		{&config.Config{}, iptables, Network{}, netfilter.Names{Chains: []string{"KUBE-SERVICES", "KUBE-PROXY-", "FLANNEL-"}}},
		{own, nft, foreign, netfilter.Names{Chains: []string{"KUBE-SERVICES", "KUBE-PROXY-"}}},
		{&config.Config{Cluster: config.Cluster{ProxyDisabled: true}}, nft, Network{}, netfilter.Names{Tables: flannelTables}},
	} {
		s := Spec{Config: c.config, Facts: c.facts, Choices: Choices{Network: c.network}}
		if got := s.TakenRules(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v, want %+v", got, c.want)
		}
	}
}

// TestOwnTables: who uses iptables, or is not ours, has no table.
func TestOwnTables(t *testing.T) {
	nft := machine.Facts{NFTables: true}
	for name, c := range map[string]struct {
		config  string
		facts   machine.Facts
		network Network
		mode    string
		want    []string
	}{
		"both":                {"default", nft, Network{}, "", []string{"ip kube-proxy", "ip flannel-ipv4"}},
		"IPv6":                {"ipv6", nft, Network{}, "", []string{"ip6 kube-proxy", "ip6 flannel-ipv6"}},
		"an older kernel":     {"default", machine.Facts{}, Network{}, "", nil},
		"a chosen mode":       {"default", nft, Network{}, "iptables", []string{"ip flannel-ipv4"}},
		"a network of others": {"default", nft, Network{Foreign: "/etc/cni/net.d/10-calico.conflist"}, "", []string{"ip kube-proxy"}},
	} {
		s := Spec{Config: configtest.Valid(t, c.config), Facts: c.facts, Choices: Choices{Network: c.network}}
		if c.mode != "" {
			s.Config.KubeProxy = map[string]any{"mode": c.mode}
		}
		var got []string
		for _, table := range s.OwnTables() {
			got = append(got, table.Table)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
