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

	LoopbackDown bool
}

// Resolver is who answers pods' questions for names outside of the cluster.
type Resolver struct {
	Read    bool   // else nothing is known of it
	Own     bool   // the config says which file, or none
	File    string // that the kubelet makes pods' resolv.conf from; empty without
	Missing bool   // the kubelet is told a file that is not there
	Servers []netip.Addr
	Silent  []netip.Addr // of those, which did not answer; nil if they were not asked
	NoHosts bool         // there is no /etc/hosts
}

// Name is what this machine is called.
type Name struct {
	Hostname string
	Looked   bool         // the name was looked up
	Resolves []netip.Addr // what it stands for on this machine
}

// Endpoint is what the host of controlPlaneEndpoint stands for.
type Endpoint struct {
	Looked    bool // there is one, and it was looked up
	Addresses []netip.Addr
	Dial      Dial // to the first that is not of this machine; NotTried without
}

// Firewall is what may be in the way of packets.
type Firewall struct {
	Managers []string // programs that keep rules of their own: firewalld, ufw
	Drops    []string // chains that drop what is forwarded, unless a rule of theirs lets it pass
	Lost     []LostTable
}

// LostTable is a table of nftables that is not there, though the addon runs that writes it when it starts.
type LostTable struct{ Name, Container string }

// Proxy is a proxy that the environment names.
type Proxy struct {
	URL     string   // without its password; empty without one
	Through []string // what of the cluster's would go through it
	File    string   // that has the kubelet ask it; empty where it is this program's own environment
}

// networkRules are about this machine's place in its network, and what lets packets pass.
func networkRules() map[string]Rule {
	return map[string]Rule{
		"loopback-down":    {Check: loopbackDown, Cause: causeToo(loopbackDown)},
		"address-not-here": {Check: addressNotHere, Cause: causeToo(addressNotHere)},
		"address-of-containers": {Check: func(m *Machine) Findings {
			at, ok := m.linkOf(m.Settings.AdvertiseAddress)
			return warnIf(ok && at.Containers, "the advertise address, %s, is of %s, a link of a container network", at.Address, at.Link)
		}},
		"no-default-route": {Check: noDefaultRoute},
		"several-default-routes": {Check: func(m *Machine) Findings {
			at, _ := m.linkOf(m.Settings.AdvertiseAddress)
			return warnIf(len(m.Network.Defaults) > 1, "several links have a default route: %s; this node's address is %s, of %s",
				strings.Join(m.Network.Defaults, ", "), m.Settings.AdvertiseAddress, at.Link)
		}},
		"subnet-overlap": {Check: subnetOverlap},
		"firewall-active": {Check: func(m *Machine) Findings {
			active := m.Firewall.Managers
			return warnIf(len(active) > 0, "%s is active, and may keep pods from the API server", strings.Join(active, " and "))
		}},
		"forward-drop": {Check: forwardDrop},
		"proxy-for-cluster": {Cause: kubeletByProxy, Check: func(m *Machine) Findings {
			through := strings.Join(m.Proxy.Through, ",")
			found := warnIf(through != "", "the proxy %s would be asked for %s", m.Proxy.URL, through).remedy("add to NO_PROXY: %s", through)
			return append(found, kubeletsProxy(m.KubeletProxy)...)
		}},
	}
}

// kubeletsProxy is an error: the kubelet would not reach its own API server.
func kubeletsProxy(p Proxy) Findings {
	through := strings.Join(p.Through, ",")
	return errorIf(through != "", "%s has the kubelet ask the proxy %s for %s", p.File, p.URL, through).
		remedy("add to NO_PROXY in %s: %s; or leave NO_PROXY out of it, and bootstrap sets it", p.File, through)
}

// nameRules are about who resolves names here, and what those of this machine stand for.
func nameRules() map[string]Rule {
	return map[string]Rule{
		"resolver-file-missing": {Check: resolverFileMissing, Cause: resolverMissed},
		"hosts-file-missing":    {Check: noHosts, Cause: causeToo(noHosts)},
		"no-resolver":           {Check: noResolver},
		"resolver-loops": {Check: func(m *Machine) Findings {
			r := m.Resolver
			loops := r.Read && r.File != "" && !r.Missing && !slices.ContainsFunc(r.Servers, machine.PodReaches)
			return warnIf(loops, "%s names no server that a pod can reach: pods resolve names of the cluster only", r.File)
		}},
		"resolver-link-local": {Check: resolverLinkLocal},
		"resolver-silent": {Check: func(m *Machine) Findings {
			return warnIf(len(m.Resolver.Silent) > 0, "%s: no answer from %v", m.Resolver.File, m.Resolver.Silent)
		}},

		"hostname-localhost": {Check: func(m *Machine) Findings {
			name := m.Settings.NodeName
			return warnIf(strings.HasPrefix(name, "localhost"), "the node would be called %s, as every machine without a name", name)
		}},
		"hostname-form": {Check: func(m *Machine) Findings {
			name := m.Name.Hostname
			return warnIf(name != strings.ToLower(name), "the machine is called %s and the node %s", name, m.Settings.NodeName)
		}},
		"hostname-elsewhere": {Check: hostnameElsewhere},
		"hostname-unresolvable": {Check: func(m *Machine) Findings {
			return warnIf(m.Name.Looked && len(m.Name.Resolves) == 0, "the machine's own name, %s, can't be resolved", m.Name.Hostname).
				remedy("add it to /etc/hosts: 127.0.1.1 %s", m.Name.Hostname)
		}},
		"endpoint-unresolvable": {Check: func(m *Machine) Findings {
			unknown := m.Endpoint.Looked && len(m.Endpoint.Addresses) == 0
			return warnIf(unknown, "controlPlaneEndpoint: %s can't be resolved: kube-proxy would not reach the API server", m.Settings.Endpoint)
		}},
		"endpoint-elsewhere": {Check: func(m *Machine) Findings {
			p := m.Endpoint
			return warnIf(p.Dial == TimedOut || p.Dial == NoRoute, "controlPlaneEndpoint: %s stands for %v, which is not this machine and does not answer (%s)",
				m.Settings.Endpoint, p.Addresses, p.Dial)
		}},
	}
}

func resolverLinkLocal(m *Machine) Findings {
	isElse := func(s netip.Addr) bool { return machine.PodReaches(s) || !s.IsLinkLocalUnicast() }
	onLink := slices.DeleteFunc(slices.Clone(m.Resolver.Servers), isElse)
	others := slices.ContainsFunc(m.Resolver.Servers, machine.PodReaches) // else resolver-loops says it
	const what = "%s: %v means nothing in a pod, which is on another link: cluster DNS asks the others"
	return warnIf(len(onLink) > 0 && others, what, m.Resolver.File, onLink)
}

func loopbackDown(m *Machine) Findings {
	return errorIf(m.Network.LoopbackDown, "the loopback link, lo, is down: this machine does not reach itself").see("ip link show lo")
}

func (m *Machine) linkOf(a netip.Addr) (machine.LinkAddress, bool) {
	i := slices.IndexFunc(m.Network.Addresses, func(l machine.LinkAddress) bool { return l.Address == a })
	if i < 0 {
		return machine.LinkAddress{}, false
	}
	return m.Network.Addresses[i], true
}

func addressNotHere(m *Machine) Findings {
	_, here := m.linkOf(m.Settings.AdvertiseAddress)
	if here || m.Settings.EtcdDataDir == "" {
		return nil
	}
	var have []string
	for _, a := range m.Network.Addresses {
		have = append(have, fmt.Sprintf("%s (%s)", a.Address, a.Link))
	}
	found := errorIf(have != nil, "the advertise address, %s, is not of this machine, which has %s", m.Settings.AdvertiseAddress, strings.Join(have, ", "))
	if !m.Settings.AddressSettled {
		return found
	}
	i := slices.IndexFunc(m.Network.Addresses, func(a machine.LinkAddress) bool { return !a.Containers })
	link := "LINK"
	if i >= 0 {
		link = m.Network.Addresses[i].Link
	}
	return found.remedy("this cluster was made with it, and can't take another: give it back to the machine (ip address add %s dev %s), "+
		"and have it keep it: a static address, or a lease for this machine alone", m.Settings.AdvertiseAddress, link)
}

func noDefaultRoute(m *Machine) Findings {
	n := m.Network
	toServices := slices.ContainsFunc(n.Routes, func(r machine.Route) bool { return m.services(r.To) })
	return warnIf(len(n.Addresses) > 0 && len(n.Defaults) == 0 && !toServices, "no default route: programs on this machine itself can't reach Services")
}

// services tells whether a route leads to all Services.
func (m *Machine) services(to netip.Prefix) bool {
	return slices.ContainsFunc(m.Settings.ServiceSubnets, func(s netip.Prefix) bool { return to.Bits() <= s.Bits() && to.Overlaps(s) })
}

func subnetOverlap(m *Machine) Findings {
	return forEach(slices.Concat(m.Settings.PodSubnets, m.Settings.ServiceSubnets), func(subnet netip.Prefix) Findings {
		i := slices.IndexFunc(m.Network.Routes, func(r machine.Route) bool { return r.To.Overlaps(subnet) && !m.services(r.To) })
		if i < 0 {
			return nil
		}
		r := m.Network.Routes[i]
		return finding(Warning, "the range %s of the cluster overlaps %s, which this machine reaches by %s", subnet, r.To, r.Link)
	})
}

func noResolver(m *Machine) Findings {
	none := m.Resolver.Read && m.Resolver.File == ""
	if m.Resolver.Own {
		return warnIf(none, "KubeletConfiguration has an empty resolvConf: pods get no resolver from this machine").
			remedy("nothing, where pods need no names from outside; else name a file there, or leave it out")
	}
	return warnIf(none, "no /etc/resolv.conf: pods get no resolver from this machine")
}

func resolverFileMissing(m *Machine) Findings {
	r := m.Resolver
	return errorIf(r.Missing, "%s is not there, and the kubelet makes pods' resolv.conf from it: no pod starts", r.File).
		remedy("put the file back, be it empty: touch %s", r.File)
}

// noHosts is certain of the control plane. Of the pods of a standalone kubelet only some may be in the machine's network.
func noHosts(m *Machine) Findings {
	const what = "/etc/hosts is not there, and the kubelet gives each pod in the machine's network a copy of it: none starts"
	return findingIf(m.Resolver.NoHosts, certainIf(!m.Settings.Standalone && m.Settings.Pod == ""), what).see("ls -l /etc/hosts")
}

func hostnameElsewhere(m *Machine) Findings {
	here := func(a netip.Addr) bool {
		_, ok := m.linkOf(a)
		return ok || a.IsLoopback()
	}
	known := len(m.Name.Resolves) > 0 && len(m.Network.Addresses) > 0
	elsewhere := known && !slices.ContainsFunc(m.Name.Resolves, here)
	return warnIf(elsewhere, "the machine's own name, %s, stands for %v, which is no address of it", m.Name.Hostname, m.Name.Resolves)
}

func forwardDrop(m *Machine) Findings {
	drops := m.Firewall.Drops
	found := warnIf(len(drops) > 0, "the firewall drops what is forwarded (%s): pods would be cut off", strings.Join(drops, ", "))
	if len(m.Settings.PodSubnets) == 0 {
		return found
	}
	return found.remedy("let pass what is of pods: iptables -I FORWARD -s %s -j ACCEPT; iptables -I FORWARD -d %[1]s -j ACCEPT; and keep the rules over reboots", m.Settings.PodSubnets[0])
}
