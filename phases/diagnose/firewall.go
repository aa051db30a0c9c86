package diagnose

import (
	"fmt"
	"strings"
)

// Firewall is what may be in the way of packets.
type Firewall struct {
	Managers []string // programs that keep rules of their own: firewalld, ufw
	Drops    []string // chains that drop what is forwarded, unless a rule of theirs lets it pass
}

func firewallEntries() []Entry {
	return []Entry{
		{
			ID: "firewall-active", Title: "a firewall is active",
			Means:  "firewalld and ufw let in only what they are told. Pods may not reach the API server, and other nodes not this one.",
			Remedy: "open TCP 6443 and 10250, UDP 8472 to other nodes, TCP 2379-2380 to other control plane nodes alone, and let all from the pod and Service ranges pass; or turn it off: systemctl disable --now firewalld, or ufw disable",
			Check: func(m *Machine) []Finding {
				return findingIf(len(m.Firewall.Managers) > 0, Finding{Level: Warning, What: fmt.Sprintf("%s is active, and may keep pods from the API server", strings.Join(m.Firewall.Managers, " and "))})
			},
		},
		{
			ID: "forward-drop", Title: "the firewall drops what is forwarded",
			Means:  "Packets of pods are forwarded by this machine. Docker, for one, sets the policy of FORWARD to DROP; rules in other tables that accept a packet do not help.",
			Remedy: "let pass what is of pods: iptables -I FORWARD -s PODS -j ACCEPT; iptables -I FORWARD -d PODS -j ACCEPT",
			Check:  forwardDrop,
		},
	}
}

func forwardDrop(m *Machine) []Finding {
	if len(m.Firewall.Drops) == 0 {
		return nil
	}
	f := Finding{Level: Warning, What: fmt.Sprintf("the firewall drops what is forwarded (%s): pods would be cut off", strings.Join(m.Firewall.Drops, ", "))}
	if len(m.Settings.PodSubnets) > 0 {
		pods := m.Settings.PodSubnets[0]
		f.Remedy = fmt.Sprintf("let pass what is of pods: iptables -I FORWARD -s %s -j ACCEPT; iptables -I FORWARD -d %[1]s -j ACCEPT; and keep the rules over reboots", pods)
	}
	return []Finding{f}
}
