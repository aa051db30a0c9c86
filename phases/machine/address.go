package machine

import (
	"cmp"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// nodeIPs looks at IPv4 and IPv6 apart: a machine may have both, by different links.
func (r *factReader) nodeIPs() ([]netip.Addr, error) {
	v4, err := r.linkAddresses()
	if err != nil {
		return nil, err
	}
	var ips []netip.Addr
	if ip, ok := pick(v4, r.defaultLink4()); ok {
		ips = append(ips, ip)
	}
	if ip, ok := pick(r.linkAddresses6(), r.defaultLink6()); ok {
		ips = append(ips, ip)
	}
	return ips, nil
}

// linkAddr is an address that others can reach the machine by.
type linkAddr struct {
	link string
	ip   netip.Addr
}

// pick takes the first address of the link with the default route, or else the first
// of any link that isn't a container network's.
func pick(addrs []linkAddr, link string) (netip.Addr, bool) {
	for _, a := range addrs {
		if a.link == link {
			return a.ip, true
		}
	}
	for _, a := range addrs {
		if !isContainerLink(a.link) {
			return a.ip, true
		}
	}
	return netip.Addr{}, false
}

// containerLinks are the names that container networks give their links. Their
// addresses mean nothing outside of the machine.
var containerLinks = []string{"docker", "cni", "veth", "flannel", "cilium", "lxc", "cali", "kube-", "virbr", "podman", "nerdctl"}

// dockerBridge is of a network that a user of Docker made; other bridges are called br- too.
var dockerBridge = regexp.MustCompile(`^br-[0-9a-f]{12}$`)

func isContainerLink(link string) bool {
	return dockerBridge.MatchString(link) || slices.ContainsFunc(containerLinks, func(prefix string) bool { return strings.HasPrefix(link, prefix) })
}

// linkAddresses is the IPv4 addresses of this machine's links. The kernel has no
// simple file of them, so below another root there are none.
func (r *factReader) linkAddresses() ([]linkAddr, error) {
	if !r.Real() {
		return nil, nil
	}
	links, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var all []linkAddr
	for _, link := range links {
		if link.Flags&net.FlagUp == 0 || link.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := link.Addrs()
		if err != nil {
			continue // the link went away while we looked
		}
		all = append(all, ipv4Of(link.Name, addrs)...)
	}
	return all, nil
}

// mtus are of the links that are up, with their addresses of both families. Below
// another root there are none.
func (r *factReader) mtus() (map[netip.Addr]int, error) {
	if !r.Real() {
		return nil, nil
	}
	links, err := net.Interfaces()
	mtus := map[netip.Addr]int{}
	for _, link := range links {
		addrs, err := link.Addrs()
		if err != nil {
			continue // the link went away while we looked
		}
		for _, addr := range addrs {
			if prefix, err := netip.ParsePrefix(addr.String()); err == nil {
				mtus[prefix.Addr()] = link.MTU
			}
		}
	}
	return mtus, err
}

func ipv4Of(link string, addrs []net.Addr) []linkAddr {
	var all []linkAddr
	for _, addr := range addrs {
		prefix, err := netip.ParsePrefix(addr.String())
		if err != nil || !prefix.Addr().Is4() || !prefix.Addr().IsGlobalUnicast() {
			continue
		}
		all = append(all, linkAddr{link, prefix.Addr()})
	}
	return all
}

// Flags of an address in /proc/net/if_inet6 that make it none to be known by:
// temporary, failed and unfinished duplicate detection, deprecated.
const badAddress6 = 0x01 | 0x08 | 0x20 | 0x40

// linkAddresses6 reads lines such as
// "fd000000000000000000000000000002 02 40 00 80 eth0".
func (r *factReader) linkAddresses6() []linkAddr {
	var all []linkAddr
	for _, line := range r.lines("/proc/net/if_inet6") {
		f := strings.Fields(line)
		if len(f) != 6 {
			continue
		}
		ip, ok := parseHex6(f[0])
		flags, err := strconv.ParseUint(f[4], 16, 32)
		if !ok || err != nil || f[5] == "lo" || flags&badAddress6 != 0 || !ip.IsGlobalUnicast() {
			continue
		}
		all = append(all, linkAddr{f[5], ip})
	}
	slices.SortStableFunc(all, func(a, b linkAddr) int { return cmp.Or(cmp.Compare(a.link, b.link), a.ip.Compare(b.ip)) })
	return all
}

func parseHex6(text string) (netip.Addr, bool) {
	var parts []string
	for part := range slices.Chunk([]byte(text), 4) {
		parts = append(parts, string(part))
	}
	ip, err := netip.ParseAddr(strings.Join(parts, ":"))
	return ip, err == nil
}

const (
	routeUp     = 0x1
	routeReject = 0x200
)

// defaultLink4 is the link of the default route with the lowest metric. Fields: link,
// destination, gateway, flags, refcount, use, metric (decimal), mask, ...
func (r *factReader) defaultLink4() string {
	var best route
	for _, line := range r.lines("/proc/net/route") {
		f := strings.Fields(line)
		if len(f) > 7 && f[1] == "00000000" && f[7] == "00000000" {
			best = best.or(f[0], f[3], parseMetric(f[6], 10))
		}
	}
	return best.link
}

// defaultLink6 is defaultLink4 for IPv6. Fields: destination, its length, source, its
// length, next hop, metric (hex), refcount, use, flags, link.
func (r *factReader) defaultLink6() string {
	var best route
	for _, line := range r.lines("/proc/net/ipv6_route") {
		f := strings.Fields(line)
		if len(f) == 10 && f[0] == strings.Repeat("0", 32) && f[1] == "00" && f[9] != "lo" {
			best = best.or(f[9], f[8], parseMetric(f[5], 16))
		}
	}
	return best.link
}

type route struct {
	link   string
	metric uint64
}

func (b route) or(link, flags string, metric uint64) route {
	bits, err := strconv.ParseUint(flags, 16, 32)
	if err != nil || bits&routeUp == 0 || bits&routeReject != 0 {
		return b
	}
	if b.link != "" && b.metric <= metric {
		return b
	}
	return route{link, metric}
}

func parseMetric(text string, base int) uint64 {
	n, err := strconv.ParseUint(text, base, 64)
	if err != nil {
		return 1 << 63 // unreadable is worse than any
	}
	return n
}
