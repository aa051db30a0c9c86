package diagnose

import (
	"cmp"
	"fmt"
	"slices"
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
}

func foreignRules() map[string]Rule {
	return map[string]Rule{
		"other-cluster": {Check: func(m *Machine) []Finding {
			traces := m.Foreign.Clusters
			return warnIf(len(traces) > 0, "there are traces of another cluster: %s", strings.Join(traces, ", "))
		}},
		"foreign-static-pod": {Check: foreignStaticPod, Cause: foreignManifest},
		"volume-closed": {Check: func(m *Machine) []Finding {
			closed := m.Foreign.Closed
			return errorIf(len(closed) > 0, "root in a pod may not read %s", strings.Join(closed, ", "))
		}},
		"cni-plugin-missing": {Cause: syncCause(says(cniMissing), cniPluginMissing), Check: func(m *Machine) []Finding {
			missing := m.Foreign.Plugins
			return warnIf(len(missing) > 0, "the pod network is left to a configuration whose plugin is not there: %s", strings.Join(missing, ", "))
		}},
	}
}

func foreignStaticPod(m *Machine) []Finding {
	var found []Finding
	for _, manifest := range m.Foreign.Manifests {
		f := Finding{Level: Warning, What: manifest.Path + " is there, and bootstrap did not make it: the kubelet will run it as a pod", Remedy: "move it to another folder: mv " + manifest.Path + " /root/"}
		f.What = cmp.Or(manifest.invalid(), f.What)
		taken := slices.IndexFunc(manifest.Ports, func(p int) bool { return slices.Contains(m.Foreign.HostPorts, p) })
		switch {
		case taken >= 0:
			f.Level, f.What = Error, fmt.Sprintf("%s is there, and bootstrap did not make it: its pod takes port %d, which the control plane needs", manifest.Path, manifest.Ports[taken])
		case m.isOurs(manifest.Name):
			f.Level, f.What = Error, fmt.Sprintf("%s is there, and bootstrap did not make it: it is a second pod %s", manifest.Path, manifest.Name)
		case m.Foreign.Served && manifest.Error == "":
			continue
		}
		found = append(found, f)
	}
	return found
}

// invalid says that the kubelet can't run it; empty if it can.
func (m Manifest) invalid() string {
	if m.Error == "" {
		return ""
	}
	return fmt.Sprintf("%s is no valid Pod: %s", m.Path, m.Error)
}

// isOurs tells whether a pod has the name of one of our components.
func (m *Machine) isOurs(name string) bool {
	component, found := strings.CutPrefix(name, "kube-system/")
	return found && slices.Contains(m.Settings.Components, component)
}
