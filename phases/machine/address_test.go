package machine

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

func TestDefaultLinks(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "proc/net"), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(root, "proc/net", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("route", "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"+
		"wlan0\t00000000\t0100A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"+
		"down0\t00000000\t0100A8C0\t0002\t0\t0\t1\t00000000\t0\t0\t0\n"+
		"eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"+
		"eth1\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n")
	zero := "00000000000000000000000000000000"
	write("ipv6_route", zero+" 00 "+zero+" 00 "+zero+" ffffffff 00000001 00000000 00200200       lo\n"+
		zero+" 00 "+zero+" 00 "+zero+" 00000400 00000001 00000000 00000200     bad0\n"+
		zero+" 00 "+zero+" 00 "+zero+" 00000400 00000001 00000000 00000003     eth6\n")
	r := factReader{Machine: At(root)}
	if got := r.defaultLink4(); got != "eth0" {
		t.Errorf("IPv4: %q", got)
	}
	if got := r.defaultLink6(); got != "eth6" {
		t.Errorf("IPv6: %q", got)
	}
}

func TestPickAddress(t *testing.T) {
	addr := func(link, ip string) linkAddr { return linkAddr{link, netip.MustParseAddr(ip)} }
	cases := map[string]struct {
		addrs []linkAddr
		link  string
		want  string
	}{
		"default route":      {[]linkAddr{addr("eth0", "192.0.2.1"), addr("eth1", "192.0.2.2")}, "eth1", "192.0.2.2"},
		"no default route":   {[]linkAddr{addr("docker0", "172.17.0.1"), addr("eth0", "192.0.2.1")}, "", "192.0.2.1"},
		"route without addr": {[]linkAddr{addr("eth0", "192.0.2.1")}, "wg0", "192.0.2.1"},
		"only containers":    {[]linkAddr{addr("cni0", "10.244.0.1")}, "", ""},
	}
	for name, c := range cases {
		ip, ok := pick(c.addrs, c.link)
		if ok != (c.want != "") || (ok && ip.String() != c.want) {
			t.Errorf("%s: %s, want %q", name, ip, c.want)
		}
	}
}
