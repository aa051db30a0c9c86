package machine_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bootstrap/phases/machine"

	"github.com/google/go-cmp/cmp"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put makes a file of the machine.
func put(t *testing.T, m machine.Machine, path, content string, mode os.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(m.Path(path)), 0o755))
	must(t, os.WriteFile(m.Path(path), []byte(content), mode))
	must(t, os.Chmod(m.Path(path), mode))
}

// TestDisk: a folder that is not there yet is on the disk of the one above it.
func TestDisk(t *testing.T) {
	m := machine.At(t.TempDir())
	put(t, m, "/var/lib/x", "", 0o644)
	there, err := m.Disk("/var/lib")
	must(t, err)
	later, err := m.Disk("/var/lib/etcd/member")
	must(t, err)
	if there.Device != later.Device || there.Size == 0 || there.Free == 0 || there.Free > there.Size || there.ReadOnly {
		t.Errorf("%+v, %+v", there, later)
	}
}

// TestSyncLatency: it ends in time, has a result, and leaves nothing.
func TestSyncLatency(t *testing.T) {
	m := machine.At(t.TempDir())
	must(t, os.MkdirAll(m.Path("/var/lib"), 0o755))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	p99, count, err := m.SyncLatency(ctx, "/var/lib/etcd")
	must(t, err)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
	if count == 0 || count >= 5 && p99 <= 0 {
		t.Errorf("p99 %s of %d", p99, count)
	}
	left, err := os.ReadDir(m.Path("/var/lib"))
	must(t, err)
	if len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestInotify(t *testing.T) {
	m := machine.At(t.TempDir())
	put(t, m, "/proc/sys/fs/inotify/max_user_instances", "128\n", 0o644)
	put(t, m, "/proc/sys/fs/inotify/max_user_watches", "65536\n", 0o644)
	got := m.Inotify(2)
	if got.MaxInstances != 128 || got.MaxWatches != 65536 || got.Left > 2 {
		t.Errorf("%+v", got)
	}
}

func TestKernelLimits(t *testing.T) {
	m := machine.At(t.TempDir())
	put(t, m, "/proc/sys/fs/file-nr", "1826\t0\t9223372036854775807\n", 0o444)
	if open, limit := m.OpenFiles(); open != 1826 || limit != 1<<63-1 {
		t.Errorf("%d of %d", open, limit)
	}
	put(t, m, "/proc/sys/net/ipv4/ip_forward", "0\n", 0o444)
	put(t, m, "/proc/sys/net/ipv6/conf/all/forwarding", "0\n", 0o644)
	if !m.SettingFixed("net.ipv4.ip_forward") || m.SettingFixed("net.ipv6.conf.all.forwarding") {
		t.Error("what can be set is told from what can't")
	}
	put(t, m, "/proc/sys/net/ipv4/conf/all/rp_filter", "0\n", 0o644)
	put(t, m, "/proc/sys/net/ipv4/conf/eth0/rp_filter", "1\n", 0o644)
	put(t, m, "/proc/sys/net/ipv4/conf/eth1/rp_filter", "2\n", 0o644)
	if got := m.StrictLinks([]string{"eth0", "eth1", "eth2"}); !slices.Equal(got, []string{"eth0"}) {
		t.Errorf("strict: %v", got)
	}
	if m.Enforcing() {
		t.Error("SELinux on a machine without")
	}
	put(t, m, "/sys/fs/selinux/enforce", "1", 0o644)
	if !m.Enforcing() {
		t.Error("SELinux is enforcing")
	}
}

// TestBootSettings: what systemd-sysctl makes of files, in its order.
func TestBootSettings(t *testing.T) {
	m := machine.At(t.TempDir())
	for path, content := range map[string]string{
		"/etc/sysctl.d/10-early.conf":        "net.ipv4.ip_forward=0\nkernel.panic = 1\n",
		"/etc/sysctl.d/99-sysctl.conf":       "# net.ipv4.ip_forward=2\n; x=1\n-net/ipv4/ip_forward = 0\nno setting\n=\n",
		"/usr/lib/sysctl.d/99-sysctl.conf":   "net.ipv4.ip_forward = 1\n", // hidden by the one in /etc
		"/usr/lib/sysctl.d/zz-on.conf":       "-net.ipv4.conf.eth0.forwarding\nnet.ipv4.conf.*.forwarding=0\nkernel.panic=1\n",
		"/etc/sysctl.d/zz-no-settings.conf~": "net.ipv4.ip_forward=0\n",
	} {
		put(t, m, path, content, 0o644)
	}
	const ours, sysctl, on = "/etc/sysctl.d/99-bootstrap.conf", "/etc/sysctl.d/99-sysctl.conf", "/usr/lib/sysctl.d/zz-on.conf"
	want := []machine.BootSetting{
		{"kernel/panic", "1", "/etc/sysctl.d/10-early.conf"}, {"net/ipv4/ip_forward", "0", sysctl},
		{"net/ipv4/conf/eth0/forwarding", "", on}, {"net/ipv4/conf/*/forwarding", "0", on},
	}
	all := m.BootSettings(ours, "net.ipv4.ip_forward = 1\n")
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
	pattern := all[3]
	for name, sets := range map[string]bool{"net/ipv4/conf/all/forwarding": true, "net/ipv4/conf/eth0/forwarding": false, "net/ipv6/conf/all/forwarding": false} {
		if pattern.Sets(name, all) != sets {
			t.Errorf("%s: want %t", name, sets)
		}
	}
	put(t, m, ours, "kernel.panic=10\n", 0o644) // of before: not what is asked about
	if again := m.BootSettings(ours, "net.ipv4.ip_forward = 1\n"); !slices.Equal(again, all) {
		t.Errorf("%v", again)
	}
}

func TestCgroupControllers(t *testing.T) {
	m := machine.At(t.TempDir())
	if got := m.CgroupControllers(); got != nil {
		t.Errorf("known on an empty machine: %v", got)
	}
	put(t, m, "/proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t3\t55\t1\nmemory\t9\t83\t1\npids\t0\t1\t0\n", 0o444)
	if got := m.CgroupControllers(); !slices.Contains(got, "cpu") || !slices.Contains(got, "memory") || slices.Contains(got, "pids") {
		t.Errorf("version 1: %v", got)
	}
	put(t, m, "/sys/fs/cgroup/cgroup.controllers", "cpu io pids\n", 0o444)
	if got := m.CgroupControllers(); !slices.Equal(got, []string{"cpu", "io", "pids"}) {
		t.Errorf("version 2: %v", got)
	}
}

func TestModules(t *testing.T) {
	m := machine.At(t.TempDir())
	ask := func() map[string]machine.ModuleState { return m.Modules("6.12.0", "overlay", "br_netfilter", "vxlan") }
	if got := ask(); len(got) != 0 {
		t.Errorf("known where no modules can be seen: %v", got)
	}
	put(t, m, "/lib/modules/6.11.0/modules.dep", "kernel/fs/overlayfs/overlay.ko.xz:\n", 0o644)
	put(t, m, "/proc/filesystems", "nodev\toverlay\n", 0o444)
	want := map[string]machine.ModuleState{"overlay": machine.ModuleThere, "br_netfilter": machine.KernelReplaced, "vxlan": machine.KernelReplaced}
	if diff := cmp.Diff(want, ask()); diff != "" {
		t.Errorf("after an update of the kernel: %s", diff)
	}
	put(t, m, "/lib/modules/6.12.0/modules.dep", "kernel/net/bridge/br_netfilter.ko.zst: kernel/net/bridge/bridge.ko.zst\n", 0o644)
	want = map[string]machine.ModuleState{"overlay": machine.ModuleThere, "br_netfilter": machine.ModuleThere, "vxlan": machine.ModuleMissing}
	if diff := cmp.Diff(want, ask()); diff != "" {
		t.Errorf("a small kernel: %s", diff)
	}
}

// TestAddressesAndRoutes looks at this machine, whatever it has.
func TestAddressesAndRoutes(t *testing.T) {
	addresses, err := machine.At("/").Addresses()
	must(t, err)
	for _, a := range addresses {
		if a.Link == "lo" || a.Link == "" || a.Address.IsLoopback() {
			t.Errorf("%+v", a)
		}
	}
	routes, err := machine.At("/").Routes()
	must(t, err)
	specific := false
	for _, r := range routes {
		specific = specific || r.To.Bits() > 0
		if r.Link == "" || r.To.Bits() == 0 && specific {
			t.Errorf("a default route after others, or one without a link: %+v", routes)
		}
	}
}

func TestNameServers(t *testing.T) {
	m := machine.At(t.TempDir())
	put(t, m, "/etc/resolv.conf", "# nameserver 192.0.2.9\nsearch x\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\nnameserver nonsense\n", 0o644)
	got, err := m.NameServers("/etc/resolv.conf")
	must(t, err)
	if len(got) != 2 || got[0] != netip.MustParseAddr("192.0.2.1") || got[1].Zone() != "eth0" {
		t.Errorf("%v", got)
	}
	start := time.Now()
	if err := machine.AskNameServer(t.Context(), netip.MustParseAddr("127.99.99.99")); err == nil {
		t.Error("an answer from nobody")
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestPodReaches: what is a name server here is not always one in a pod.
func TestPodReaches(t *testing.T) {
	for server, want := range map[string]bool{
		"192.0.2.1": true, "fd00::1": true, "2001:db8::53": true,
		"169.254.169.254": true, // of AWS and GCP: IPv4 is routed from pods
		"127.0.0.53":      false, "::1": false, "::ffff:127.0.0.1": false, "0.0.0.0": false,
		"fe80::1%eth0": false, "fe80::1%2": false, "fe80::1": false,
	} {
		if got := machine.PodReaches(netip.MustParseAddr(server)); got != want {
			t.Errorf("%s: %t", server, got)
		}
	}
}

// TestListener: the process that holds a port is named.
func TestListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	port := netip.MustParseAddrPort(l.Addr().String()).Port()
	all := machine.At("/")
	if got := all.Listener(port); !strings.HasPrefix(got, "pid ") || !strings.Contains(got, "machine.test") {
		t.Errorf("listener: %q", got)
	}
	if !slices.Contains(all.Listening(), port) {
		t.Errorf("%d is not in %v", port, all.Listening())
	}
	l.Close()
	if got := all.Listener(port); got != "" || slices.Contains(all.Listening(), port) {
		t.Errorf("nobody listens: %q, %v", got, all.Listening())
	}
}

func TestOlder(t *testing.T) {
	for release, want := range map[string]bool{"4.19.0-27-amd64": true, "5.3.18": true, "5.4.0": false, "6.12": false, "odd": false, "": false} {
		if got := machine.Older(release, 5, 4); got != want {
			t.Errorf("%q: %t", release, got)
		}
	}
}

// TestJournalWithoutPath: who runs this, such as a unit with an environment of its own, may have no PATH.
func TestJournalWithoutPath(t *testing.T) {
	if machine.At("/").Program("journalctl") == "" {
		t.Skip("NOT RUN: there is no journalctl here")
	}
	t.Setenv("PATH", "")
	if _, err := machine.At("/").Journal(t.Context(), time.Now(), "nobody.service"); err != nil && strings.Contains(err.Error(), "executable file not found") {
		t.Error(err)
	}
}
