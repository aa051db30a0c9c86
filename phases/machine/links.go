package machine

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// LinkAddress is an address of this machine, by which others may reach it.
type LinkAddress struct {
	Link       string
	Address    netip.Addr
	Containers bool // the link has the name of a container network's
}

// Route is a network and the link that leads there. A default route is to all.
type Route struct {
	To     netip.Prefix
	Link   string
	Metric int
}

// Addresses are those of all links that are up, loopback left out.
func Addresses() ([]LinkAddress, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	var all []LinkAddress
	for _, link := range links {
		name := link.Attrs().Name
		addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			continue // the link went away while we looked
		}
		for _, a := range addrs {
			ip, ok := netip.AddrFromSlice(a.IP)
			if ok = ok && ip.Unmap().IsGlobalUnicast(); ok {
				all = append(all, LinkAddress{Link: name, Address: ip.Unmap(), Containers: isContainerLink(name)})
			}
		}
	}
	return all, nil
}

// Routes are those of the main table, default routes first, the preferred before others.
func Routes() ([]Route, error) {
	found, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	names := map[int]string{}
	for _, link := range links {
		names[link.Attrs().Index] = link.Attrs().Name
	}
	var all []Route
	for _, r := range found {
		for _, index := range linksOf(r) {
			if to, ok := destination(r); ok && r.Type == unix.RTN_UNICAST && names[index] != "" && names[index] != "lo" {
				all = append(all, Route{To: to, Link: names[index], Metric: r.Priority})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Route) int {
		return cmp.Or(cmp.Compare(min(a.To.Bits(), 1), min(b.To.Bits(), 1)), cmp.Compare(a.Metric, b.Metric))
	})
	return all, nil
}

// linksOf: a route to several next hops has a link in each.
func linksOf(r netlink.Route) []int {
	if len(r.MultiPath) == 0 {
		return []int{r.LinkIndex}
	}
	var links []int
	for _, hop := range r.MultiPath {
		links = append(links, hop.LinkIndex)
	}
	return links
}

func destination(r netlink.Route) (netip.Prefix, bool) {
	if r.Dst == nil {
		any := netip.IPv4Unspecified()
		if r.Family == netlink.FAMILY_V6 {
			any = netip.IPv6Unspecified()
		}
		return netip.PrefixFrom(any, 0), true
	}
	ip, ok := netip.AddrFromSlice(r.Dst.IP)
	bits, _ := r.Dst.Mask.Size()
	return netip.PrefixFrom(ip.Unmap(), bits), ok
}
