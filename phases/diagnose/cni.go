package diagnose

import (
	"path/filepath"

	"bootstrap/phases/lazyregexp"
)

// CNI is what others have put into the folder of CNI configurations.
type CNI struct {
	Left   string // the file that the pod network is left to; empty if it is ours, or nobody's
	Stale  string // why nothing serves that network; empty if something may
	Others []CNIFile
}

// CNIFile is a configuration of a program that is no cluster, such as podman.
type CNIFile struct {
	Path    string
	What    string // "podman [10.88.0.0/16]"
	First   bool   // runtimes take it before the pod network's
	Damaged bool   // it names no plugin
}

func foreignCNI(f CNIFile) Findings {
	const what = "%s is of another program's network, %s, and no cluster's: "
	dir, name := filepath.Split(f.Path)
	switch {
	case f.Damaged && f.First:
		return finding(Error, "%s names no plugin, as a file that was cut short or is empty: while it comes first, the runtime gives no pod a network", f.Path).
			remedy("move it away: mv %s /root/", f.Path)
	case f.Damaged:
		return nil
	case !f.First:
		return finding(Warning, what+"it stays as it is", f.Path, f.What)
	}
	return finding(Error, what+"its name comes before the pod network's, and all pods would be in it", f.Path, f.What).
		remedy("give it a later name: mv %s %s99-%s; or give the cluster its range: networking.podSubnet", f.Path, dir, name)
}

const moveNetwork = "move it away, and bootstrap init brings its own network: mv %s /root/; " +
	"if you install that network anew after init: network: none in BoxConfiguration"

// cniConfigStale has nothing to say where the plugin itself is missing: that is an entry of its own.
func cniConfigStale(m *Machine) Findings {
	hasPlugins := len(m.Foreign.Plugins) == 0
	return warnIf(hasPlugins && m.CNI.Stale != "", "the pod network is left to %s, of an older cluster: %s", m.CNI.Left, m.CNI.Stale).remedy(moveNetwork, m.CNI.Left)
}

// pluginFailed is what containerd, CRI-O and cri-dockerd say in the words of one library.
var pluginFailed = lazyregexp.New(`plugin type="([^"]+)"(?: name="([^"]*)")? failed \(add\): (.+)`)

// stalePluginFails is certain: with the credentials of another cluster the plugin can't do otherwise. Our own network,
// whose file may lie beside that one, is called bootstrap.
func stalePluginFails(e *Evidence, f syncFailure) Findings {
	match := pluginFailed().FindStringSubmatch(f.message)
	isStale := e.CNI.Stale != "" && match[2] != "bootstrap"
	const what = "%s gets no network: it is left to %s, of an older cluster: %s; the plugin %s says: %s"
	return errorIf(isStale, what, f.pod, e.CNI.Left, e.CNI.Stale, match[1], match[3]).
		remedy(moveNetwork, e.CNI.Left).see(kubeletLog).proof(f.message)
}
