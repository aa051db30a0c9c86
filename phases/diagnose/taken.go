package diagnose

import (
	"fmt"
	"strconv"
	"strings"
)

// Taken is what init needs for itself, and others have.
type Taken struct {
	Ports     []TakenPort
	Manifests []string // files that the control plane's own would replace
	EtcdData  string   // etcd's folder, if it holds data of another cluster
	Links     []string // network links of the names that the pod network gives its own
	Rules     []string // of the firewall: "table ip NAME", "chain NAME in table ip NAME"
}

// TakenPort is a port at which another program listens.
type TakenPort struct {
	Number uint16
	For    string // who of ours needs it
	By     string // the program; empty if it can't be told
	Error  string // that came of listening there
}

// takenRules are of what init does not work past.
func takenRules() map[string]Rule {
	return map[string]Rule{
		"check-not-ignorable": {Decided: true},
		"setting-settled":     {Decided: true},
		"bundle-damaged":      {Decided: true},
		"no-runtime":          {Decided: true},
		"no-kubelet":          {Decided: true},
		"kubeconfig-conflict": {Decided: true},
		"etcd-data-gone":      {Decided: true, Cause: etcdLogged(beginsAgain, "it is gone")},
		"port-taken": {Enforced: true, Cause: ofFirstComponent((*Evidence).portHeld), Check: func(m *Machine) []Finding {
			return forEach(m.Taken.Ports, portTakenBy)
		}},
		"foreign-manifest": {Enforced: true, Check: func(m *Machine) []Finding {
			return forEach(m.Taken.Manifests, func(file string) []Finding {
				return errorFound("%s is there, and bootstrap did not make it", file)
			})
		}},
		"etcd-foreign-data": {Enforced: true, Check: func(m *Machine) []Finding {
			dir := m.Taken.EtcdData
			return findingIf(dir != "", Finding{
				Level: Error, What: dir + " holds data that is not of this cluster", Remedy: fmt.Sprintf("move it away: mv %s %s.old", dir, dir),
			})
		}},
		"foreign-link": {Enforced: true, Check: func(m *Machine) []Finding {
			return forEach(m.Taken.Links, func(name string) []Finding {
				what := fmt.Sprintf("a network link %s is there, and bootstrap did not make it", name)
				return []Finding{{Level: Error, What: what, Remedy: "if nobody needs it: ip link delete " + name}}
			})
		}},
		"foreign-rules": {Enforced: true, Check: func(m *Machine) []Finding {
			return forEach(m.Taken.Rules, func(name string) []Finding {
				what := fmt.Sprintf("the firewall has a %s, and bootstrap did not make it", name)
				return []Finding{{Level: Error, What: what, Remedy: "if it is of an old cluster: " + removeRules(name)}}
			})
		}},
	}
}

func portTakenBy(p TakenPort) []Finding {
	by := ""
	if p.By != "" {
		by = " by " + p.By
	}
	return []Finding{{
		Level: Error, What: fmt.Sprintf("port %d, for %s, is taken%s: %s", p.Number, p.For, by, p.Error),
		Remedy: "see by whom: " + listeners(strconv.Itoa(int(p.Number))),
	}}
}

// removeRules is the command against a table, or against the chains of one.
func removeRules(found string) string {
	if strings.HasPrefix(found, "table ") {
		return "nft delete " + found
	}
	program := "iptables"
	if strings.Contains(found, " ip6 ") {
		program = "ip6tables"
	}
	return fmt.Sprintf("%[1]s-save | grep -v -e KUBE- -e FLANNEL- | %[1]s-restore", program)
}
