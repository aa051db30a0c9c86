package machine

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestListedRoutes: in a directory that stands for a machine, the kernel's list of IPv6
// routes is read.
func TestListedRoutes(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "proc/net"), 0o755); err != nil {
		t.Fatal(err)
	}
	zero := strings.Repeat("0", 32)
	list := zero + " 00 " + zero + " 00 " + zero + " ffffffff 00000001 00000000 00200200       lo\n" +
		zero + " 00 " + zero + " 00 " + zero + " 00000400 00000001 00000000 00000200     bad0\n" +
		zero + " 00 " + zero + " 00 " + zero + " 00000001 00000001 00000000 00000002    down0\n" +
		"fd000000000000000000000000000000 40 " + zero + " 00 " + zero + " 00000001 00000001 00000000 00000001     eth1\n" +
		zero + " 00 " + zero + " 00 " + zero + " 00000400 00000001 00000000 00000003     eth6\n" +
		zero + " 00 " + zero + " 00 " + zero + " 00000064 00000001 00000000 00450003     eth7\n"
	if err := os.WriteFile(filepath.Join(root, "proc/net/ipv6_route"), []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := At(root).Routes()
	if err != nil {
		t.Fatal(err)
	}
	all := netip.MustParsePrefix("::/0")
	want := []Route{
		{To: all, Link: "eth7", Metric: 100, Advertised: true}, {To: all, Link: "eth6", Metric: 1024},
		{To: netip.MustParsePrefix("fd00::/64"), Link: "eth1", Metric: 1},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

// TestKernelNetwork asks the kernel, in a network of the test's own.
func TestKernelNetwork(t *testing.T) {
	if os.Getenv("MACHINE_TEST_NETWORK") == "" {
		if os.Geteuid() != 0 {
			t.Skip("NOT RUN: a network of its own needs root")
		}
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), "MACHINE_TEST_NETWORK=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET}
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	link := func(name string, mtu int, up bool, addresses ...string) int {
		t.Helper()
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = name, mtu
		check(netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "to-" + name}))
		l, err := netlink.LinkByName(name)
		check(err)
		peer, err := netlink.LinkByName("to-" + name)
		check(err)
		check(netlink.LinkSetUp(peer))
		if up {
			check(netlink.LinkSetUp(l))
		}
		for _, text := range addresses {
			text, deprecated := strings.CutSuffix(text, " deprecated")
			a, err := netlink.ParseAddr(text)
			check(err)
			a.Flags = unix.IFA_F_NODAD
			if deprecated {
				a.ValidLft = 3600 // and no longer preferred
			}
			check(netlink.AddrAdd(l, a))
		}
		return l.Attrs().Index
	}
	link("cni0", 1450, true, "10.244.0.1/24")
	link("down0", 1500, false, "198.51.100.1/24")
	first := link("eth0", 1500, true, "192.0.2.10/24", "192.0.2.9/32", "2001:db8::1/64 deprecated", "2001:db8::3/64", "2001:db8::2/64")
	second := link("eth1", 9000, true, "203.0.113.7/24")
	route := func(r netlink.Route) {
		t.Helper()
		r.Scope = unix.RT_SCOPE_LINK
		check(netlink.RouteAdd(&r))
	}
	four, _ := netlink.ParseIPNet("0.0.0.0/0")
	six, _ := netlink.ParseIPNet("::/0")
	route(netlink.Route{LinkIndex: second, Dst: four, Priority: 600})
	want := "203.0.113.7 2001:db8::2"
	if got := nodeIPsNow(t); got != want {
		t.Errorf("one default route: %s, want %s", got, want)
	}
	route(netlink.Route{LinkIndex: first, Dst: four, Priority: 100})
	route(netlink.Route{LinkIndex: first, Dst: six, Priority: 100, Protocol: unix.RTPROT_RA})
	want = "192.0.2.10 2001:db8::2"
	if got := nodeIPsNow(t); got != want {
		t.Errorf("the better default route: %s, want %s", got, want)
	}
	facts, err := At("/").Facts()
	check(err)
	if facts.MTUs[netip.MustParseAddr("203.0.113.7")] != 9000 || facts.MTUs[netip.MustParseAddr("2001:db8::2")] != 1500 {
		t.Errorf("MTUs: %v", facts.MTUs)
	}
	routes, err := At("/").Routes()
	check(err)
	if len(routes) < 3 || routes[0].Link != "eth0" || routes[1].Link != "eth0" || routes[0].Advertised == routes[1].Advertised || routes[2].Link != "eth1" {
		t.Errorf("routes: %+v", routes)
	}
}

func nodeIPsNow(t *testing.T) string {
	t.Helper()
	facts, err := At("/").Facts()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, ip := range facts.NodeIPs {
		all = append(all, ip.String())
	}
	return strings.Join(all, " ")
}

func TestNodeIP(t *testing.T) {
	addr := func(link, ip string) LinkAddress { return newAddress(netip.MustParseAddr(ip), link, 0) }
	cases := map[string]struct {
		addresses []LinkAddress
		link      string
		want      string
	}{
		"default route":      {[]LinkAddress{addr("eth0", "192.0.2.1"), addr("eth1", "192.0.2.2")}, "eth1", "192.0.2.2"},
		"no default route":   {[]LinkAddress{addr("docker0", "172.17.0.1"), addr("eth0", "192.0.2.1")}, "", "192.0.2.1"},
		"route without addr": {[]LinkAddress{addr("eth0", "192.0.2.1")}, "wg0", "192.0.2.1"},
		"only containers":    {[]LinkAddress{addr("cni0", "10.244.0.1")}, "", "invalid IP"},
	}
	for name, c := range cases {
		if got := nodeIP(c.addresses, c.link, true).String(); got != c.want {
			t.Errorf("%s: %s, want %q", name, got, c.want)
		}
	}
}
