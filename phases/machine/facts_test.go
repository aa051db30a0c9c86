package machine_test

import (
	"net/netip"
	"os"
	"runtime"
	"testing"

	"bootstrap/phases/machine"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestReadFacts(t *testing.T) {
	m := machine.At(t.TempDir())
	for path, content := range map[string]string{
		"/proc/sys/kernel/osrelease": "6.12.0-cloud\n",
		"/proc/sys/kernel/hostname":  "node-1\n",
		"/proc/cpuinfo":              "processor\t: 0\nmodel name\t: x\n\nprocessor\t: 1\n",
		"/proc/meminfo":              "MemTotal:        4030444 kB\nMemFree: 1 kB\n",
		"/proc/self/status":          "Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\n",
		"/proc/swaps":                "Filename\tType\tSize\tUsed\tPriority\n/swapfile file 1 0 -2\n",
		"/etc/resolv.conf":           "nameserver 127.0.0.53\n",
		machine.ResolvedConfPath:     "nameserver 192.0.2.1\n",
		"/run/systemd/system/x":      "",
		"/sys/fs/cgroup/x":           "",
		"/proc/net/if_inet6": "fe80000000000000000000000000abcd 02 40 20 80     eth0\n" +
			"2001 garbage\n" +
			"20010db8000000000000000000000009 02 40 00 01     eth0\n" + // temporary
			"20010db8000000000000000000000002 02 40 00 80     eth0\n" +
			"fd000000000000000000000000000001 03 40 00 80     cni0\n" +
			"00000000000000000000000000000001 01 80 10 80       lo\n",
		"/proc/net/ipv6_route": "00000000000000000000000000000000 00 00000000000000000000000000000000 00 " +
			"fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n",
	} {
		put(t, m, path, content, 0o644)
	}
	put(t, m, "/proc/sys/net/netfilter/nf_conntrack_max", "262144\n", 0o444)
	got, err := m.Facts()
	must(t, err)
	want := machine.Facts{
		Arch: runtime.GOARCH, Kernel: "6.12.0-cloud", Hostname: "node-1", CPUs: 2, Memory: 4030444 * 1024,
		CgroupVersion: 1, SysResource: true, Swap: true, Systemd: true, ResolvConf: true, ResolvedConf: true,
		NFTables: true, FixedConntrack: true,
		NodeIPs: []netip.Addr{netip.MustParseAddr("2001:db8::2")},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Fatal(diff)
	}
}

func TestReadFactsOfAnEmptyTree(t *testing.T) {
	got, err := machine.At(t.TempDir()).Facts()
	must(t, err)
	if diff := cmp.Diff(machine.Facts{Arch: runtime.GOARCH}, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatal(diff)
	}
}

func TestReadFactsOfThisMachine(t *testing.T) {
	got, err := machine.At("/").Facts()
	must(t, err)
	if got.CPUs == 0 || got.Memory == 0 || got.Kernel == "" || got.Hostname == "" || got.CgroupVersion == 0 {
		t.Fatalf("facts: %+v", got)
	}
	t.Logf("%+v", got)
}

// TestFixedConntrack: before the module is loaded, the network namespace tells.
func TestFixedConntrack(t *testing.T) {
	m := machine.At(t.TempDir())
	put(t, m, "/proc/sys/net/core/somaxconn", "4096\n", 0o644)
	if got, err := m.Facts(); err != nil || !got.FixedConntrack {
		t.Errorf("another network namespace than the first: %+v, %v", got, err)
	}
	put(t, m, "/proc/sys/net/core/netdev_max_backlog", "1000\n", 0o644)
	if got, err := m.Facts(); err != nil || got.FixedConntrack {
		t.Errorf("the first network namespace: %+v, %v", got, err)
	}
}

func TestFactsOfOldKernels(t *testing.T) {
	for release, want := range map[string]bool{"5.13.0": true, "5.12.19": false, "4.18.0-553.el8": false, "10.0-rc1": true, "odd": false} {
		m := machine.At(t.TempDir())
		put(t, m, "/proc/sys/kernel/osrelease", release+"\n", 0o644)
		put(t, m, "/proc/sys/net/netfilter/nf_conntrack_max", "262144\n", 0o644)
		got, err := m.Facts()
		must(t, err)
		if got.NFTables != want || got.FixedConntrack {
			t.Errorf("%s: %+v", release, got)
		}
	}
}

// TestResolvedConf: what systemd-resolved has left counts only while this machine asks it.
func TestResolvedConf(t *testing.T) {
	for name, c := range map[string]struct {
		content, link string
		want          bool
	}{
		"its stub":            {content: "nameserver 127.0.0.53\n", want: true},
		"a link to its stub":  {link: "../run/systemd/resolve/stub-resolv.conf", want: true},
		"a link to its list":  {link: machine.ResolvedConfPath, want: true},
		"no file":             {want: true},
		"it was turned off":   {content: "nameserver 192.0.2.53\n"},
		"of NetworkManager":   {content: "nameserver 127.0.0.1\nnameserver 192.0.2.53\n"},
		"a local dnsmasq too": {content: "nameserver 127.0.0.1\n", want: true},
	} {
		m := machine.At(t.TempDir())
		put(t, m, machine.ResolvedConfPath, "nameserver 192.0.2.1\n", 0o644)
		switch {
		case c.content != "":
			put(t, m, "/etc/resolv.conf", c.content, 0o644)
		case c.link != "":
			must(t, os.MkdirAll(m.Path("/etc"), 0o755))
			must(t, os.Symlink(c.link, m.Path("/etc/resolv.conf")))
		}
		got, err := m.Facts()
		must(t, err)
		if got.ResolvedConf != c.want {
			t.Errorf("%s: %t", name, got.ResolvedConf)
		}
	}
}
