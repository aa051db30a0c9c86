package spec

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config"
	"bootstrap/phases/config/configtest"
	"bootstrap/phases/machine"
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
			spec := &Spec{Config: configtest.Valid(t, "default"), Facts: c.facts}
			if diff := cmp.Diff(want, spec.kubeletConfig("unix:///x")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	ipv6 := (&Spec{Config: configtest.Valid(t, "ipv6"), Facts: machine.Facts{SysResource: true}}).kubeletConfig("")
	if ipv6.ClusterDNS != "fd00:10:96::a" || ipv6.Loopback != "::1" {
		t.Errorf("DNS at %s, loopback %s", ipv6.ClusterDNS, ipv6.Loopback)
	}
}

func TestKubeletCgroupDriver(t *testing.T) {
	flag := []config.Arg{{Name: "v", Value: "2"}, {Name: "cgroup-driver", Value: "cgroupfs"}}
	cases := []struct {
		name   string
		config config.Config
		want   string
	}{
		{"by default", config.Config{}, "systemd"},
		{"in its own document", config.Config{Cluster: config.Cluster{Kubelet: map[string]any{"cgroupDriver": "cgroupfs"}}}, "cgroupfs"},
		{"not in its own document", config.Config{Cluster: config.Cluster{Kubelet: map[string]any{"maxPods": 20}}}, "systemd"},
		{"by a flag", config.Config{Node: config.Node{KubeletExtraArgs: flag}}, "cgroupfs"},
	}
	for _, c := range cases {
		if got := KubeletCgroupDriver(&c.config); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
