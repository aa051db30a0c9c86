package spec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config/configtest"
	"bootstrap/phases/machine"
)

func TestCorefile(t *testing.T) {
	golden(t, "addons/Corefile", []byte(corefile("cluster.local", "/etc/resolv.conf")))
	golden(t, "addons/Corefile-alone", []byte(corefile("cluster.local", "")))
}

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

func TestDNSReplicas(t *testing.T) {
	c := configtest.Valid(t, "default")
	for single, want := range map[bool]bool{true: false, false: true} {
		c.Box.SingleNode = single
		addon, err := DNSAddon(c, "/etc/resolv.conf")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(addon.Workload), "replicas: 2\n"); got != want {
			t.Errorf("single node %v: %s", single, addon.Workload)
		}
	}
}
