package observe

import (
	"testing"

	"bootstrap/phases/plan/plantest"
	"bootstrap/phases/runtime"
)

func TestSameCgroupDriver(t *testing.T) {
	const endpoint = "unix:///run/containerd/containerd.sock"
	cases := []struct {
		name, configured, kubelet string
		err                       []string
	}{
		{"both systemd", "systemd", "systemd", nil},
		{"both cgroupfs", "cgroupfs", "cgroupfs", nil},
		{"runtime: cgroupfs", "cgroupfs", "systemd",
			[]string{"/run/containerd/containerd.sock makes cgroups by cgroupfs, the kubelet by systemd", "set SystemdCgroup = true"}},
		{"kubelet: cgroupfs", "systemd", "cgroupfs", []string{"makes cgroups by systemd, the kubelet by cgroupfs", "set SystemdCgroup = false"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := sameCgroupDriver(endpoint, c.configured, c.kubelet)
			if len(c.err) > 0 {
				plantest.CheckError(t, err, c.err...)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSameNetworkDirs(t *testing.T) {
	const endpoint = "unix:///run/containerd/containerd.sock"
	cases := []struct {
		name string
		dirs runtime.NetworkDirs
		err  string
	}{
		{"the usual ones", runtime.NetworkDirs{Plugins: []string{"/usr/lib/cni", "/opt/cni/bin"}, Config: "/etc/cni/net.d/"}, ""},
		{"not told", runtime.NetworkDirs{}, ""},
		{"Debian's", runtime.NetworkDirs{Plugins: []string{"/usr/lib/cni"}, Config: "/etc/cni/net.d"}, "looks for CNI plugins in /usr/lib/cni, not in /opt/cni/bin (bin_dir)"},
		{"another folder", runtime.NetworkDirs{Plugins: []string{"/opt/cni/bin"}, Config: "/srv/cni"}, "looks for CNI configurations in /srv/cni, not in /etc/cni/net.d (conf_dir)"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := sameNetworkDirs(endpoint, c.dirs)
			if c.err == "" && err != nil {
				t.Error(err)
			} else if c.err != "" {
				plantest.CheckError(t, err, "/run/containerd/containerd.sock "+c.err, "network: none")
			}
		})
	}
}
