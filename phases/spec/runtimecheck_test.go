package spec

import (
	"testing"

	"bootstrap/phases/config"
)

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
