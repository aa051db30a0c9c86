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

func firewallRules() map[string]Rule {
	return map[string]Rule{
		"firewall-active": {Check: func(m *Machine) []Finding {
			active := m.Firewall.Managers
			return warnIf(len(active) > 0, "%s is active, and may keep pods from the API server", strings.Join(active, " and "))
		}},
		"forward-drop": {Check: forwardDrop},
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
