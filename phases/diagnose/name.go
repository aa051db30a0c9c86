package diagnose

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

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

func nameRules() map[string]Rule {
	return map[string]Rule{
		"hostname-localhost": {Check: func(m *Machine) []Finding {
			name := m.Settings.NodeName
			return warnIf(strings.HasPrefix(name, "localhost"), "the node would be called %s, as every machine without a name", name)
		}},
		"hostname-form": {Check: func(m *Machine) []Finding {
			name := m.Name.Hostname
			return warnIf(name != strings.ToLower(name), "the machine is called %s and the node %s", name, m.Settings.NodeName)
		}},
		"hostname-elsewhere": {Check: hostnameElsewhere},
		"hostname-unresolvable": {Check: func(m *Machine) []Finding {
			return findingIf(m.Name.Looked && len(m.Name.Resolves) == 0, Finding{
				Level: Warning, What: fmt.Sprintf("the machine's own name, %s, can't be resolved", m.Name.Hostname),
				Remedy: "add it to /etc/hosts: 127.0.1.1 " + m.Name.Hostname,
			})
		}},
		"endpoint-unresolvable": {Check: func(m *Machine) []Finding {
			unknown := m.Endpoint.Looked && len(m.Endpoint.Addresses) == 0
			return warnIf(unknown, "controlPlaneEndpoint: %s can't be resolved: kube-proxy would not reach the API server", m.Settings.Endpoint)
		}},
		"endpoint-elsewhere": {Check: func(m *Machine) []Finding {
			p := m.Endpoint
			return warnIf(p.Dial == TimedOut || p.Dial == NoRoute, "controlPlaneEndpoint: %s stands for %v, which is not this machine and does not answer (%s)",
				m.Settings.Endpoint, p.Addresses, p.Dial)
		}},
	}
}

func hostnameElsewhere(m *Machine) []Finding {
	here := func(a netip.Addr) bool {
		_, ok := m.linkOf(a)
		return ok || a.IsLoopback()
	}
	known := len(m.Name.Resolves) > 0 && len(m.Network.Addresses) > 0
	elsewhere := known && !slices.ContainsFunc(m.Name.Resolves, here)
	return warnIf(elsewhere, "the machine's own name, %s, stands for %v, which is no address of it", m.Name.Hostname, m.Name.Resolves)
}
