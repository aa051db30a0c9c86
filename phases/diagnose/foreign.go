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

func foreignEntries() []Entry {
	return []Entry{
		{
			ID: "other-cluster", Title: "there are traces of another cluster",
			Means:  "k3s, RKE2, k0s, MicroK8s and kubeadm make a node of a machine just as bootstrap does. Two of them fight over ports, firewall rules and the pod network.",
			Remedy: "remove the other one with its own program: k3s-uninstall.sh, rke2-uninstall.sh, k0s reset, snap remove microk8s, kubeadm reset",
			Check: func(m *Machine) []Finding {
				return findingIf(len(m.Foreign.Clusters) > 0, Finding{Level: Warning, What: fmt.Sprintf("there are traces of another cluster: %s", strings.Join(m.Foreign.Clusters, ", "))})
			},
		},
		{
			ID: "foreign-static-pod", Title: "the static pod directory holds files of others",
			Means:  "The kubelet starts every file in it that does not begin with a dot as a pod, backups too: a copy of a manifest runs beside the original, or in its place; when the copy is removed, the original may restart.",
			Remedy: "move the file to another folder",
			Check:  foreignStaticPod, Cause: foreignManifest,
		},
		{
			ID: "volume-closed", Title: "a volume of the control plane can't be read in its pod",
			Means:  "The control plane's containers run as root without the capability to pass over a file's owner and mode. What belongs to another user and is closed to the rest, root can read on the machine, and not there.",
			Remedy: "chown root: FILE",
			Check: func(m *Machine) []Finding {
				return findingIf(len(m.Foreign.Closed) > 0, Finding{Level: Error, What: "root in a pod may not read " + strings.Join(m.Foreign.Closed, ", ")})
			},
		},
		{
			ID: "cni-plugin-missing", Title: "a CNI configuration names a plugin that nobody has",
			Means:  "bootstrap leaves the pod network to a CNI configuration that is there. This one can't work: it may be of a cluster that is gone.",
			Remedy: "remove the file, and bootstrap brings its own network; or install the plugin",
			Check: func(m *Machine) []Finding {
				return findingIf(len(m.Foreign.Plugins) > 0, Finding{Level: Warning, What: fmt.Sprintf("the pod network is left to a configuration whose plugin is not there: %s", strings.Join(m.Foreign.Plugins, ", "))})
			},
			Cause: cniPluginMissing,
		},
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
