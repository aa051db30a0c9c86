package phases

import (
	"slices"
	"testing"

	"bootstrap/phases/host"
	"bootstrap/phases/spec"
	"bootstrap/phases/state"
)

// TestKeeps: what each flag of reset leaves, of records as init makes them.
func TestKeeps(t *testing.T) {
	records := map[string]host.Record{
		"runtime's file": {Purpose: host.Runtime, Op: host.OpFile, Target: "/etc/containerd/config.toml"},
		"runtime's unit": {Purpose: host.Runtime, Op: host.OpActive, Target: "containerd.service"},
		"sysctl":         {Purpose: host.Runtime, Op: host.OpSysctl, Target: "net.ipv4.ip_forward"},
		"image store":    {Purpose: host.Runtime, Op: host.OpTree, Target: spec.ContainerdDir},
		"image":          {By: "images", Op: host.OpImage, Target: "etcd:3"},
		"etcd's data":    {Purpose: host.Etcd, Op: host.OpTree, Target: "/srv/etcd"},
		"etcd's pod":     {Purpose: host.Etcd, Op: host.OpFile, Target: spec.ManifestFile("etcd")},
		"certificate":    {Purpose: host.Certificates, Op: host.OpFile, Target: pkiDir + "/ca.crt"},
		"etcd's CA":      {Purpose: host.Certificates, Op: host.OpFile, Target: pkiDir + "/etcd/ca.key"},
		"config":         {Purpose: host.Etcd, Op: host.OpFile, Target: state.ClusterRecord + "/documents.yaml"},
		"kubelet's tree": {By: "kubelet", Op: host.OpTree, Target: spec.KubeletDir},
		"adopted file":   {Purpose: host.Adopted, Op: host.OpFile, Target: spec.AdminConf},
	}
	cases := []struct {
		name string
		keep Keep
		want []string
	}{
		{"nothing", Keep{}, nil},
		{"images", Keep{Images: true}, []string{"image", "image store"}},
		{"runtime", Keep{Runtime: true}, []string{"image", "image store", "runtime's file", "runtime's unit", "sysctl"}},
		{"etcd", Keep{Etcd: true}, []string{"certificate", "config", "etcd's CA", "etcd's data"}},
		{"all", Keep{true, true, true}, []string{"certificate", "config", "etcd's CA", "etcd's data", "image", "image store", "runtime's file", "runtime's unit", "sysctl"}},
	}
	for _, c := range cases {
		var got []string
		for name, r := range records {
			if c.keep.keeps(r) {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: keeps %q, want %q", c.name, got, c.want)
		}
	}
}
