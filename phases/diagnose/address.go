package diagnose

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"bootstrap/phases/machine"
)

// Network is how this machine is joined to others.
type Network struct {
	Addresses []machine.LinkAddress // of links that are up, loopback left out; nil if unknown
	Defaults  []string              // the links of default routes in the address's family, the preferred first
	Routes    []machine.Route       // to single networks
}

func addressRules() map[string]Rule {
	return map[string]Rule{
		"address-not-here": {Check: addressNotHere, Cause: causeToo(addressNotHere)},
		"address-of-containers": {Check: func(m *Machine) []Finding {
			at, ok := m.linkOf(m.Settings.AdvertiseAddress)
			return warnIf(ok && at.Containers, "the advertise address, %s, is of %s, a link of a container network", at.Address, at.Link)
		}},
		"no-default-route":       {Check: noDefaultRoute},
		"several-default-routes": {Check: severalDefaultRoutes},
		"subnet-overlap":         {Check: subnetOverlap},
	}
}

func (m *Machine) linkOf(a netip.Addr) (machine.LinkAddress, bool) {
	i := slices.IndexFunc(m.Network.Addresses, func(l machine.LinkAddress) bool { return l.Address == a })
	if i < 0 {
		return machine.LinkAddress{}, false
	}
	return m.Network.Addresses[i], true
}

func addressNotHere(m *Machine) []Finding {
	_, here := m.linkOf(m.Settings.AdvertiseAddress)
	if here || m.Settings.EtcdDataDir == "" {
		return nil
	}
	var have []string
	for _, a := range m.Network.Addresses {
		have = append(have, fmt.Sprintf("%s (%s)", a.Address, a.Link))
	}
	return errorIf(have != nil, "the advertise address, %s, is not of this machine, which has %s", m.Settings.AdvertiseAddress, strings.Join(have, ", "))
}

func noDefaultRoute(m *Machine) []Finding {
	n := m.Network
	toServices := slices.ContainsFunc(n.Routes, func(r machine.Route) bool { return m.services(r.To) })
	return warnIf(len(n.Addresses) > 0 && len(n.Defaults) == 0 && !toServices, "no default route: programs on this machine itself can't reach Services")
}

// services tells whether a route leads to all Services.
func (m *Machine) services(to netip.Prefix) bool {
	return slices.ContainsFunc(m.Settings.ServiceSubnets, func(s netip.Prefix) bool { return to.Bits() <= s.Bits() && to.Overlaps(s) })
}

func severalDefaultRoutes(m *Machine) []Finding {
	at, _ := m.linkOf(m.Settings.AdvertiseAddress)
	return warnIf(len(m.Network.Defaults) > 1, "several links have a default route: %s; this node's address is %s, of %s",
		strings.Join(m.Network.Defaults, ", "), m.Settings.AdvertiseAddress, at.Link)
}

func subnetOverlap(m *Machine) []Finding {
	return forEach(slices.Concat(m.Settings.PodSubnets, m.Settings.ServiceSubnets), func(subnet netip.Prefix) []Finding {
		i := slices.IndexFunc(m.Network.Routes, func(r machine.Route) bool { return r.To.Overlaps(subnet) && !m.services(r.To) })
		if i < 0 {
			return nil
		}
		r := m.Network.Routes[i]
		return warningFound("the range %s of the cluster overlaps %s, which this machine reaches by %s", subnet, r.To, r.Link)
	})
}
