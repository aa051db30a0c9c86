package machine

import (
	"cmp"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// LinkAddress is an address of this machine, by which others may reach it.
type LinkAddress struct {
	Link       string
	Address    netip.Addr
	Containers bool // the link has the name of a container network's
	MTU        int  // of the link; zero if it can't be told

	lasting bool // the machine can be known by it: the link is up, the address is there to stay
}

// Route is a network and the link that leads there. A default route is to all.
type Route struct {
	To         netip.Prefix
	Link       string
	Metric     int
	Advertised bool // the kernel has it from a router's advertisement
}

// containerLinks are the names that container networks give their links. Their
// addresses mean nothing outside of the machine.
var containerLinks = []string{
	"docker", "cni", "veth", "flannel", "cilium", "lxc", "cali", "kube-", "virbr", "podman", "nerdctl", "lxdbr", "incusbr",
}

// dockerBridge is of a network that a user of Docker made; other bridges are called br- too.
var dockerBridge = regexp.MustCompile(`^br-[0-9a-f]{12}$`)

func isContainerLink(link string) bool {
	return dockerBridge.MatchString(link) || slices.ContainsFunc(containerLinks, func(prefix string) bool { return strings.HasPrefix(link, prefix) })
}

// badAddress6 are the flags of an IPv6 address that make it none to be known by. For IPv4,
// the same bits mean something else.
const badAddress6 = unix.IFA_F_TEMPORARY | unix.IFA_F_DADFAILED | unix.IFA_F_DEPRECATED | unix.IFA_F_TENTATIVE

func newAddress(ip netip.Addr, link string, flags int) LinkAddress {
	lasting := ip.Is4() || flags&badAddress6 == 0
	return LinkAddress{Link: link, Address: ip, Containers: isContainerLink(link), lasting: lasting}
}

// Addresses are those of all links, without what only this machine or its link knows, in
// the kernel's order; IPv6 comes last, and in an order that lasts. A directory that stands
// for a machine has only IPv6: there is no such file of IPv4.
func (m Machine) Addresses() ([]LinkAddress, error) {
	all, err := m.unsortedAddresses()
	slices.SortStableFunc(all, func(a, b LinkAddress) int {
		if a.Address.Is4() || b.Address.Is4() {
			return cmp.Compare(a.Address.BitLen(), b.Address.BitLen())
		}
		return cmp.Or(cmp.Compare(a.Link, b.Link), a.Address.Compare(b.Address))
	})
	return all, err
}

func (m Machine) unsortedAddresses() ([]LinkAddress, error) {
	if !m.Real() {
		return m.listedAddresses(), nil
	}
	found, links, err := dump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, err
	}
	var all []LinkAddress
	for _, f := range found {
		ip, ok := netip.AddrFromSlice(f.IP)
		link, known := links[f.LinkIndex] // else it went away while we looked
		if ip = ip.Unmap(); !ok || !known || !ip.IsGlobalUnicast() {
			continue
		}
		a := newAddress(ip, link.Name, f.Flags)
		a.MTU = link.MTU
		a.lasting = a.lasting && link.Flags&(net.FlagUp|net.FlagLoopback) == net.FlagUp
		all = append(all, a)
	}
	return all, nil
}

// Routes are those of the main table, default routes first, the preferred before others.
// A directory that stands for a machine has only those of IPv6.
func (m Machine) Routes() ([]Route, error) {
	all, err := m.unsortedRoutes()
	slices.SortStableFunc(all, func(a, b Route) int {
		return cmp.Or(cmp.Compare(min(a.To.Bits(), 1), min(b.To.Bits(), 1)), cmp.Compare(a.Metric, b.Metric))
	})
	return all, err
}

func (m Machine) unsortedRoutes() ([]Route, error) {
	if !m.Real() {
		return m.listedRoutes(), nil
	}
	found, links, err := dump(func() ([]netlink.Route, error) { return netlink.RouteList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, err
	}
	var all []Route
	for _, f := range found {
		if f.Type != unix.RTN_UNICAST || f.Dst == nil {
			continue
		}
		ip, _ := netip.AddrFromSlice(f.Dst.IP)
		bits, _ := f.Dst.Mask.Size()
		hops := f.MultiPath
		if len(hops) == 0 {
			hops = []*netlink.NexthopInfo{{LinkIndex: f.LinkIndex}}
		}
		for _, hop := range hops {
			if link, ok := links[hop.LinkIndex]; ok && link.Flags&net.FlagLoopback == 0 {
				to := netip.PrefixFrom(ip.Unmap(), bits)
				all = append(all, Route{To: to, Link: link.Name, Metric: f.Priority, Advertised: f.Protocol == unix.RTPROT_RA})
			}
		}
	}
	return all, nil
}

// dump gives a list, and all links of this machine by their numbers. It asks for the list again
// when that changed while the kernel gave it.
func dump[T any](list func() ([]T, error)) (found []T, links map[int]net.Interface, err error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, nil, err
	}
	links = map[int]net.Interface{}
	for _, link := range interfaces {
		links[link.Index] = link
	}
	for range 5 {
		if found, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return found, links, err
}

// VXLANAt looks for who has a UDP port for VXLAN. Plain links share one, shared tells; a link of another kind, whose
// program decides on each packet (of Cilium) or has group policies, shares it with none of them: that is the holder.
func VXLANAt(port int) (holder string, shared bool) {
	all, _ := netlink.LinkList() // where links can't be read, none is known
	for _, l := range all {
		v, is := l.(*netlink.Vxlan)
		switch {
		case !is || v.Port != port || v.Flags&net.FlagUp == 0:
		case v.FlowBased || v.GBP || v.UDP6ZeroCSumRx:
			return v.Name, false
		default:
			shared = true
		}
	}
	return "", shared
}

// LoopbackDown is false too where the link is not known.
func LoopbackDown() bool {
	lo, err := net.InterfaceByName("lo")
	return err == nil && lo.Flags&net.FlagUp == 0
}

// listedAddresses reads lines such as "fd000000000000000000000000000002 02 40 00 80 eth0":
// the fifth field is the flags.
func (m Machine) listedAddresses() []LinkAddress {
	var all []LinkAddress
	for _, f := range m.table("/proc/net/if_inet6", 6) {
		ip, flags := address6(f[0]), int(number(f[4], 16))
		if f[5] != "lo" && ip.IsGlobalUnicast() {
			all = append(all, newAddress(ip, f[5], flags))
		}
	}
	return all
}

const (
	routeUp         = 0x1
	routeReject     = 0x200
	routeAdvertised = 0x40000 // RTF_ADDRCONF
)

// listedRoutes reads lines of: destination, its length, source, its length, next hop,
// metric, two counts, flags, link. Numbers are hexadecimal.
func (m Machine) listedRoutes() []Route {
	var all []Route
	for _, f := range m.table("/proc/net/ipv6_route", 10) {
		flags := number(f[8], 16)
		if f[9] != "lo" && flags&(routeUp|routeReject) == routeUp {
			to := netip.PrefixFrom(address6(f[0]), int(number(f[1], 16)))
			all = append(all, Route{To: to, Link: f[9], Metric: int(number(f[5], 16)), Advertised: flags&routeAdvertised != 0})
		}
	}
	return all
}

func address6(text string) netip.Addr {
	bytes, _ := hex.DecodeString(text) // what is none gives no address
	ip, _ := netip.AddrFromSlice(bytes)
	return ip
}

// nodeIPs looks at IPv4 and IPv6 apart: a machine may have both, by different links.
func nodeIPs(addresses []LinkAddress, routes []Route) []netip.Addr {
	var ips []netip.Addr
	for _, is4 := range []bool{true, false} {
		if ip := nodeIP(addresses, defaultLink(routes, is4), is4); ip.IsValid() {
			ips = append(ips, ip)
		}
	}
	return ips
}

func defaultLink(routes []Route, is4 bool) string {
	for _, r := range routes {
		if r.To.Bits() == 0 && r.To.Addr().Is4() == is4 {
			return r.Link
		}
	}
	return ""
}

// nodeIP is the first address of the link with the default route, or else the first of
// any link that isn't a container network's.
func nodeIP(addresses []LinkAddress, link string, is4 bool) netip.Addr {
	var first netip.Addr
	for _, a := range addresses {
		switch {
		case a.Address.Is4() != is4 || !a.lasting:
		case a.Link == link:
			return a.Address
		case !first.IsValid() && !a.Containers:
			first = a.Address
		}
	}
	return first
}

// mtus are those of the links, by their addresses.
func mtus(addresses []LinkAddress) map[netip.Addr]int {
	all := map[netip.Addr]int{}
	for _, a := range addresses {
		if a.MTU > 0 {
			all[a.Address] = a.MTU
		}
	}
	return all
}
