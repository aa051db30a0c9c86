package diagnose

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Foreign is what others have left, or run, on this machine.
type Foreign struct {
	Clusters  []string   // traces of other clusters: "/var/lib/rancher/k3s (k3s)"
	Manifests []Manifest // in the static pod directory, none of ours
	HostPorts []int      // that our components use
	Served    bool       // a kubelet of ours runs static pods of the user's already, or is to
	Plugins   []string   // that a foreign CNI configuration names and nobody has: "calico, in FILE"
	Closed    []string   // extraVolumes that root in a pod may not read: "FILE of user 1000 (mode 0600), for kube-apiserver"
	Missing   []string   // extraVolumes that are not there: "FILE, for kube-apiserver"
}

// Taken is what init needs for itself, and others have.
type Taken struct {
	Ports     []TakenPort
	Manifests []string // files that the control plane's own would replace
	EtcdData  string   // etcd's folder, if it holds data of another cluster
	Links     []string // network links of the names that the pod network gives its own
	Rules     []string // of the firewall: "table ip NAME", "chain NAME in table ip NAME"
}

// Unfit is what of the config, or of what it is to be made with, can't be done here.
type Unfit struct {
	Ignored     []string // names of checks that are to be ignored, and can't be
	Settings    []string // that differ from this cluster's: "FIELD is X in this cluster and Y in the config"
	Bundle      string   // what is wrong with it
	Runtime     Problem  // why none can be chosen
	Kubelet     Problem
	Kubeconfigs []Problem
	EtcdGone    string // etcd's folder, if it has lost this cluster's data
	EtcdMount   string // where the disk was mounted that had them, if one was

	Paths []Problem // what lies where init will write
	Certs []Problem // why certificates that are there can't be used
}

// Problem is what somebody says is wrong, empty if nothing is, and what to do about it where
// the entry's remedy is too general.
type Problem struct{ What, Mend string }

func (p Problem) finding() Findings { return errorIf(p.What != "", "%s", p.What).remedy("%s", p.Mend) }

// TakenPort is a port at which another program listens.
type TakenPort struct {
	Number uint16
	For    string // who of ours needs it
	By     string // the program; empty if it can't be told
	Link   string // the network link that holds it; empty without
	UDP    bool
	Error  string // that came of listening there
}

// PodURL is what the kubelet is to fetch static pods from; without URL there is nothing.
type PodURL struct {
	URL    string // as it may be shown
	Error  string // why it gives nothing
	Wrong  string // why what it gives is no pod
	Plain  bool   // over HTTP, and not from this machine
	Header bool   // a secret may be sent along
	Given  bool   // to the kubelet already, by a run before
}

func foreignRules() map[string]Rule {
	return map[string]Rule{
		"other-cluster": {Check: func(m *Machine) Findings {
			traces := m.Foreign.Clusters
			return warnIf(len(traces) > 0, "there are traces of another cluster: %s", strings.Join(traces, ", "))
		}},
		"foreign-static-pod": {Check: foreignStaticPod, Cause: foreignManifest},
		"volume-closed": {Check: func(m *Machine) Findings {
			closed := m.Foreign.Closed
			return errorIf(len(closed) > 0, "root in a pod may not read %s", strings.Join(closed, ", "))
		}},
		"host-path-missing": {Cause: syncCause(hostPathFailed, hostPathMissing), Check: func(m *Machine) Findings {
			return ofEach(Error, m.Foreign.Missing, "extraVolumes: there is no %s")
		}},
		"cni-plugin-missing": {Cause: syncCause(says(cniMissing), cniPluginMissing), Check: func(m *Machine) Findings {
			missing := m.Foreign.Plugins
			return warnIf(len(missing) > 0, "the pod network is left to a configuration whose plugin is not there: %s", strings.Join(missing, ", "))
		}},
		"cni-config-foreign": {Check: func(m *Machine) Findings { return forEach(m.CNI.Others, foreignCNI) }},
		"cni-config-stale":   {Check: cniConfigStale, Cause: syncCause(says(pluginFailed), stalePluginFails)},
	}
}

// takenRules are of what init does not work past.
func takenRules() map[string]Rule {
	return map[string]Rule{
		"check-not-ignorable": {Enforced: true, Check: func(m *Machine) Findings {
			const text = "nodeRegistration.ignorePreflightErrors: %s can't be ignored: init does not work past it"
			return ofEach(Error, m.Unfit.Ignored, text)
		}},
		"setting-settled":       {Enforced: true, Check: func(m *Machine) Findings { return ofEach(Error, m.Unfit.Settings, "%s") }},
		"bundle-damaged":        {Enforced: true, Check: func(m *Machine) Findings { return errorIf(m.Unfit.Bundle != "", "%s", m.Unfit.Bundle) }},
		"kubeconfig-conflict":   {Enforced: true, Check: func(m *Machine) Findings { return forEach(m.Unfit.Kubeconfigs, Problem.finding) }},
		"no-runtime":            {Enforced: true, Check: func(m *Machine) Findings { return m.Unfit.Runtime.finding() }},
		"no-kubelet":            {Enforced: true, Check: func(m *Machine) Findings { return m.Unfit.Kubelet.finding() }},
		"path-in-the-way":       {Enforced: true, Check: func(m *Machine) Findings { return forEach(m.Unfit.Paths, Problem.finding) }},
		"certificates-unusable": {Check: func(m *Machine) Findings { return forEach(m.Unfit.Certs, Problem.finding) }},
		"etcd-data-gone":        {Enforced: true, Check: etcdDataGone, Cause: etcdGone},
		"port-taken": {Enforced: true, Cause: ofFirstComponent((*Evidence).portHeld), Check: func(m *Machine) Findings {
			return forEach(m.Taken.Ports, portTakenBy)
		}},
		"foreign-manifest": {Enforced: true, Check: func(m *Machine) Findings {
			return ofEach(Error, m.Taken.Manifests, "%s is there, and bootstrap did not make it")
		}},
		"etcd-foreign-data": {Enforced: true, Check: func(m *Machine) Findings {
			dir := m.Taken.EtcdData
			return errorIf(dir != "", "%s holds data that is not of this cluster", dir).remedy("move it away: mv %s %[1]s.old", dir)
		}},
		"foreign-link": {Enforced: true, Check: func(m *Machine) Findings {
			return forEach(m.Taken.Links, func(name string) Findings {
				return finding(Error, "a network link %s is there, and bootstrap did not make it", name).remedy("if nobody needs it: ip link delete %s", name)
			})
		}},
		"foreign-rules": {Enforced: true, Check: func(m *Machine) Findings {
			return forEach(m.Taken.Rules, func(name string) Findings {
				return finding(Error, "the firewall has a %s, and bootstrap did not make it", name).remedy("if it is of an old cluster: %s", removeRules(name))
			})
		}},
	}
}

func podURLRules() map[string]Rule {
	return map[string]Rule{
		"pod-url-unreachable": {Check: func(m *Machine) Findings {
			u := m.PodURL
			level := certainIf(!u.Given)
			return findingIf(u.Error != "", level, "static pods can't be fetched from %s: %s", u.URL, u.Error)
		}},
		"pod-url-no-pod": {Check: func(m *Machine) Findings {
			return errorIf(m.PodURL.Wrong != "", "what %s gives can't be run: %s", m.PodURL.URL, m.PodURL.Wrong)
		}},
		"pod-url-plain": {Check: func(m *Machine) Findings {
			also := ""
			if m.PodURL.Header {
				also = ", and reads what staticPodURLHeader sends"
			}
			return warnIf(m.PodURL.Plain, "%s is fetched without TLS: whoever is on the way decides what runs here as root%s", m.PodURL.URL, also)
		}},
	}
}

func foreignStaticPod(m *Machine) Findings {
	const foreign = "%s is there, and bootstrap did not make it: "
	return forEach(m.Foreign.Manifests, func(f Manifest) (found Findings) {
		taken := slices.IndexFunc(f.Ports, func(p netip.AddrPort) bool { return slices.Contains(m.Foreign.HostPorts, int(p.Port())) })
		switch {
		case taken >= 0:
			found = finding(Error, foreign+"its pod takes port %d, which the control plane needs", f.Path, f.Ports[taken].Port())
		case m.isOurs(f.Name):
			found = finding(Error, foreign+"it is a second pod %s", f.Path, f.Name)
		case f.Error != "":
			found = finding(Warning, "%s is no valid Pod: %s", f.Path, f.Error)
		case !m.Foreign.Served:
			found = finding(Warning, foreign+"the kubelet will run it as a pod", f.Path)
		}
		return found.remedy("move it to another folder: mv %s /root/", f.Path)
	})
}

// isOurs tells whether a pod has the name of one of our components.
func (m *Machine) isOurs(name string) bool {
	component, found := strings.CutPrefix(name, "kube-system/")
	return found && slices.Contains(m.Settings.Components, component)
}

func portTakenBy(p TakenPort) Findings {
	by, number := "", strconv.Itoa(int(p.Number))
	if p.By != "" {
		by = " by " + p.By
	}
	switch {
	case p.Link != "":
		return finding(Error, "UDP port %s, for %s, is taken by the network link %s, as another pod network leaves one", number, p.For, p.Link).
			remedy("if nobody needs it: ip link delete %s", p.Link)
	case p.UDP:
		return finding(Error, "UDP port %s, for %s, is taken: %s", number, p.For, p.Error).remedy("see by whom: ss -lunp 'sport = :%s'", number)
	}
	return finding(Error, "port %s, for %s, is taken%s: %s", number, p.For, by, p.Error).remedy("see by whom: %s", listeners(number))
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
