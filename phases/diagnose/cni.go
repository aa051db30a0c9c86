package diagnose

import (
	"path/filepath"
	"regexp"
)

// CNI is what others have put into the folder of CNI configurations.
type CNI struct {
	Left     string // the file that the pod network is left to; empty if it is ours, or nobody's
	Plugin   string // that it names first
	Stale    string // why it is of another cluster; empty if it may be of this
	Unserved bool   // its plugin needs a daemon, which a cluster runs, and there is none yet
	Others   []CNIFile
}

// CNIFile is a configuration of a program that is no cluster.
type CNIFile struct {
	Path  string
	What  string // "podman (10.88.0.0/16)"
	First bool   // runtimes take it before the pod network's
}

func cniRules() map[string]Rule {
	return map[string]Rule{
		"cni-config-foreign": {Check: func(m *Machine) Findings { return forEach(m.CNI.Others, m.foreignCNI) }},
		"cni-config-stale":   {Check: cniConfigStale, Cause: syncCause(says(pluginFailed), stalePluginFails)},
	}
}

func (m *Machine) foreignCNI(f CNIFile) Findings {
	const what = "%s is of another program's network, %s, and no cluster's: "
	dir, name := filepath.Split(f.Path)
	switch {
	case f.First:
		return finding(Error, what+"its name comes before the pod network's, and all pods would be in it", f.Path, f.What).
			remedy("give it a later name: mv %s %s99-%s; or give the cluster its range: networking.podSubnet",
				f.Path, dir, name)
	case m.Settings.OwnNetwork || m.CNI.Left != "":
		return finding(Warning, what+"it stays as it is, beside the pod network", f.Path, f.What)
	}
	return finding(Warning, what+"pods are in it until you bring a pod network", f.Path, f.What)
}

// cniConfigStale has nothing to say where the plugin itself is missing: that is an entry of its own.
func cniConfigStale(m *Machine) Findings {
	c, why := m.CNI, "not of this cluster: "+m.CNI.Stale
	if c.Stale == "" {
		why = "older than this cluster: its plugin, " + c.Plugin + ", needs a daemon that does not run yet"
	}
	is := len(m.Foreign.Plugins) == 0 && (c.Stale != "" || c.Unserved)
	return warnIf(is, "the pod network is left to %s, which is %s", c.Left, why).remedy(moveNetwork, c.Left)
}

const moveNetwork = "move it away, and bootstrap init brings its own network: mv %s /root/; " +
	"if you install that network anew after init: network: none in BoxConfiguration"

// pluginFailed is what containerd, CRI-O and cri-dockerd say in the words of one library.
var pluginFailed = regexp.MustCompile(`plugin type="([^"]+)"(?: name="[^"]*")? failed \(add\): (.+)`)

// stalePluginFails is certain: with the credentials of another cluster the plugin can't do otherwise.
func stalePluginFails(e *Evidence, f syncFailure) Findings {
	match := pluginFailed.FindStringSubmatch(f.message)
	const what = "%s gets no network: it is left to %s, which is not of this cluster: %s; the plugin %s says: %s"
	return errorIf(e.CNI.Stale != "", what, f.pod, e.CNI.Left, e.CNI.Stale, match[1], match[2]).remedy(moveNetwork, e.CNI.Left).see(kubeletLog).proof(f.message)
}
