package diagnose

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Network is how this machine is joined to others.
type Network struct {
	Addresses []LinkAddress // of links that are up, loopback left out; nil if unknown
	Defaults  []string      // the links of default routes in the address's family, the preferred first
	Routes    []Route       // to single networks
}

// LinkAddress is an address of this machine.
type LinkAddress struct {
	Link       string
	Address    netip.Addr
	Containers bool // the link is of a container network: nobody outside knows the address
}

// Route is a network that this machine reaches by a link.
type Route struct {
	To   netip.Prefix
	Link string
}

func addressEntries() []Entry {
	return []Entry{
		{
			ID: "address-not-here", Title: "the advertise address is not of this machine",
			Means:  "etcd listens at the advertise address, and can't if no link of this machine has it. The address of a NAT or of a load balancer in front of the machine is no address of it.",
			Remedy: "set localAPIEndpoint.advertiseAddress to an address that `ip address` shows; others can be reached by controlPlaneEndpoint and apiServer.certSANs",
			Check:  addressNotHere, Cause: causeToo(addressNotHere),
		},
		{
			ID: "address-of-containers", Title: "the advertise address is of a container network",
			Means:  "The address means nothing outside of this machine: other nodes, and people, can't reach it.",
			Remedy: "set localAPIEndpoint.advertiseAddress to an address of a link that leads outside",
			Check: func(m *Machine) []Finding {
				at, ok := m.linkOf(m.Settings.AdvertiseAddress)
				return findingIf(ok && at.Containers, Finding{Level: Warning, What: fmt.Sprintf("the advertise address, %s, is of %s, a link of a container network", at.Address, at.Link)})
			},
		},
		{
			ID: "no-default-route", Title: "the machine has no default route",
			Means:  "The kernel refuses to send what it has no route for, before Services are looked at: programs on this machine itself, and pods on the host's network, can't reach Services.",
			Remedy: "add one, be it to nowhere: ip route add default dev LINK; or a route to the Service range alone",
			Check:  noDefaultRoute,
		},
		{
			ID: "several-default-routes", Title: "several links have a default route",
			Means:  "Where nothing is configured, the address of the link with the preferred default route (the lowest metric) becomes this node's. After a reboot that may be another one, while certificates and etcd keep the first.",
			Remedy: "name the address in the config file: localAPIEndpoint.advertiseAddress",
			Check:  severalDefaultRoutes,
		},
		{
			ID: "subnet-overlap", Title: "a range of the cluster overlaps a network that is there",
			Means:  "Addresses of that network that are also in the pod or Service range are no longer reached from this machine, or pods with such addresses are not.",
			Remedy: "take another range: networking.podSubnet, networking.serviceSubnet in the config file",
			Check:  subnetOverlap,
		},
	}
}

func (m *Machine) linkOf(a netip.Addr) (LinkAddress, bool) {
	i := slices.IndexFunc(m.Network.Addresses, func(l LinkAddress) bool { return l.Address == a })
	if i < 0 {
		return LinkAddress{}, false
	}
	return m.Network.Addresses[i], true
}

func addressNotHere(m *Machine) []Finding {
	_, here := m.linkOf(m.Settings.AdvertiseAddress)
	if here || len(m.Network.Addresses) == 0 || m.Settings.EtcdDataDir == "" {
		return nil
	}
	var have []string
	for _, a := range m.Network.Addresses {
		have = append(have, fmt.Sprintf("%s (%s)", a.Address, a.Link))
	}
	return []Finding{{Level: Error, What: fmt.Sprintf("the advertise address, %s, is not of this machine, which has %s", m.Settings.AdvertiseAddress, strings.Join(have, ", "))}}
}

func noDefaultRoute(m *Machine) []Finding {
	n := m.Network
	if len(n.Addresses) == 0 || len(n.Defaults) > 0 || slices.ContainsFunc(n.Routes, func(r Route) bool { return m.services(r.To) }) {
		return nil
	}
	return []Finding{{Level: Warning, What: "no default route: programs on this machine itself can't reach Services"}}
}

// services tells whether a route leads to all Services.
func (m *Machine) services(to netip.Prefix) bool {
	return slices.ContainsFunc(m.Settings.ServiceSubnets, func(s netip.Prefix) bool { return to.Bits() <= s.Bits() && to.Overlaps(s) })
}

func severalDefaultRoutes(m *Machine) []Finding {
	if len(m.Network.Defaults) < 2 {
		return nil
	}
	at, _ := m.linkOf(m.Settings.AdvertiseAddress)
	return []Finding{{Level: Warning, What: fmt.Sprintf("several links have a default route: %s; this node's address is %s, of %s",
		strings.Join(m.Network.Defaults, ", "), m.Settings.AdvertiseAddress, at.Link)}}
}

func subnetOverlap(m *Machine) []Finding {
	var found []Finding
	for _, subnet := range slices.Concat(m.Settings.PodSubnets, m.Settings.ServiceSubnets) {
		i := slices.IndexFunc(m.Network.Routes, func(r Route) bool { return r.To.Overlaps(subnet) && !m.services(r.To) })
		if i >= 0 {
			r := m.Network.Routes[i]
			found = append(found, Finding{Level: Warning, What: fmt.Sprintf("the range %s of the cluster overlaps %s, which this machine reaches by %s", subnet, r.To, r.Link)})
		}
	}
	return found
}
