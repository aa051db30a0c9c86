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

func nameEntries() []Entry {
	return []Entry{
		{
			ID: "hostname-localhost", Title: "the machine is called localhost",
			Means:  "The node takes the machine's name. Every machine that was given none is called so, and two nodes with one name overwrite each other.",
			Remedy: "name it: hostnamectl set-hostname NAME; or set nodeRegistration.name in the config file",
			Check: func(m *Machine) []Finding {
				local := strings.HasPrefix(m.Settings.NodeName, "localhost")
				return findingIf(local, Finding{Level: Warning, What: fmt.Sprintf("the node would be called %s, as every machine without a name", m.Settings.NodeName)})
			},
		},
		{
			ID: "hostname-form", Title: "the node is called otherwise than the machine",
			Means:  "Names of nodes are in lower case. Logs and monitoring of the machine use the other name.",
			Remedy: "rename the machine: hostnamectl set-hostname NAME",
			Check: func(m *Machine) []Finding {
				capitals := m.Name.Hostname != strings.ToLower(m.Name.Hostname)
				return findingIf(capitals, Finding{Level: Warning, What: fmt.Sprintf("the machine is called %s and the node %s", m.Name.Hostname, m.Settings.NodeName)})
			},
		},
		{
			ID: "hostname-elsewhere", Title: "the machine's name stands for another machine",
			Means:  "Programs that look for this machine by its name find another one.",
			Remedy: "mend /etc/hosts, or the name server's entry",
			Check:  hostnameElsewhere,
		},
		{
			ID: "hostname-unresolvable", Title: "the machine's own name can't be resolved",
			Means:  "sudo and other programs look it up, and wait until the name servers have said no.",
			Remedy: "add it to /etc/hosts: 127.0.1.1 NAME",
			Check: func(m *Machine) []Finding {
				return findingIf(m.Name.Looked && len(m.Name.Resolves) == 0, Finding{
					Level: Warning, What: fmt.Sprintf("the machine's own name, %s, can't be resolved", m.Name.Hostname),
					Remedy: "add it to /etc/hosts: 127.0.1.1 " + m.Name.Hostname,
				})
			},
		},
		{
			ID: "endpoint-unresolvable", Title: "controlPlaneEndpoint can't be resolved",
			Means:  "kube-proxy, other nodes and kubeconfigs of people reach the API server by that name. Until it stands for something, no Service works.",
			Remedy: "add the name to the name server or to /etc/hosts, or set controlPlaneEndpoint to an address",
			Check: func(m *Machine) []Finding {
				return findingIf(m.Endpoint.Looked && len(m.Endpoint.Addresses) == 0, Finding{
					Level: Warning, What: fmt.Sprintf("controlPlaneEndpoint: %s can't be resolved: kube-proxy would not reach the API server", m.Settings.Endpoint),
				})
			},
		},
		{
			ID: "endpoint-elsewhere", Title: "controlPlaneEndpoint leads elsewhere, and nobody is there",
			Means:  "kube-proxy, other nodes and kubeconfigs of people reach the API server by that name. If it is a load balancer that waits for the API server, this is fine; else the name is wrong.",
			Remedy: "see that its load balancer passes TCP on to this machine, or mend the name's address",
			Check: func(m *Machine) []Finding {
				lost := m.Endpoint.Dial == TimedOut || m.Endpoint.Dial == NoRoute
				return findingIf(lost, Finding{Level: Warning, What: fmt.Sprintf("controlPlaneEndpoint: %s stands for %v, which is not this machine and does not answer (%s)",
					m.Settings.Endpoint, m.Endpoint.Addresses, m.Endpoint.Dial)})
			},
		},
	}
}

func hostnameElsewhere(m *Machine) []Finding {
	here := func(a netip.Addr) bool {
		_, ok := m.linkOf(a)
		return ok || a.IsLoopback()
	}
	if len(m.Name.Resolves) == 0 || len(m.Network.Addresses) == 0 || slices.ContainsFunc(m.Name.Resolves, here) {
		return nil
	}
	return []Finding{{Level: Warning, What: fmt.Sprintf("the machine's own name, %s, stands for %v, which is no address of it", m.Name.Hostname, m.Name.Resolves)}}
}
