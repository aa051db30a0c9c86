package observe

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"bootstrap/phases/config"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/pki"
	"bootstrap/phases/spec"
)

// cniFile is somebody else's CNI configuration, or a plugin in it, as far as it tells whose it is.
type cniFile struct {
	path                   string
	Name, Type, Kubeconfig string
	Kubernetes             struct{ Kubeconfig string }
	IPAM                   struct {
		Subnet string
		Ranges [][]struct{ Subnet string }
	}
	Plugins []cniFile
}

// cniFiles are those of others, in the order of their names: a runtime takes the first. Of one that can't
// be read, only the path is known.
func (o *Observer) cniFiles() []cniFile {
	var all []cniFile
	for _, path := range o.Host.Globs([]string{spec.CNIConfigDir + "/*"}) {
		if !spec.IsNetwork(path) || path == spec.NetworkFile {
			continue
		}
		f := cniFile{}
		if data, err := o.Host.ReadFile(path); err != nil || json.Unmarshal(data, &f) != nil {
			f = cniFile{}
		}
		if f.path = path; len(f.Plugins) == 0 { // a .conf: the file itself is one plugin
			f.Plugins = []cniFile{f}
		}
		all = append(all, f)
	}
	return all
}

// subnets are the ranges that the file itself gives; none where a daemon of the cluster hands them out.
func (f cniFile) subnets() (all []netip.Prefix) {
	for _, p := range f.Plugins {
		for _, r := range append(slices.Concat(p.IPAM.Ranges...), struct{ Subnet string }{p.IPAM.Subnet}) {
			if s, err := netip.ParsePrefix(r.Subnet); err == nil {
				all = append(all, s)
			}
		}
	}
	return all
}

// isDamaged is a file that names no plugin: one that was cut short, or is empty.
func (f cniFile) isDamaged() bool { return f.Plugins[0].Type == "" }

// isClusters tells whether a network may be that of a cluster's pods. It is not if its file gives addresses
// outside of the pod range: podman, CRI-O and nerdctl keep such networks there for their own containers.
func (o *Observer) isClusters(f cniFile) bool {
	ofPods := func(s netip.Prefix) bool { return slices.ContainsFunc(o.Config.Networking.PodSubnets, s.Overlaps) }
	subnets := f.subnets()
	return slices.ContainsFunc(subnets, ofPods) || len(subnets) == 0 && !f.isDamaged() && f.Plugins[0].Type != "loopback"
}

// clustersNetwork is the pod network that others have set up, without a path if there is none.
func (o *Observer) clustersNetwork() cniFile {
	all := o.cniFiles()
	if i := slices.IndexFunc(all, o.isClusters); i >= 0 {
		return all[i]
	}
	return cniFile{}
}

func (o *Observer) lookAtCNI(context.Context) (fill, error) {
	left, begun := o.clustersNetwork(), o.Host.Made(spec.KubeletDropIn)
	cni, podNetwork := diagnose.CNI{Left: left.path}, left.path
	hasCluster := o.Config.CertificatesDir != ""       // else a kubelet is looked at that others have set up
	toCome := o.Config.Box.Network == config.NoNetwork // the user is about to install it
	if left.path != "" && hasCluster && !toCome {
		cni.Stale = o.staleNetwork(left, begun)
	}
	if o.Choices.Network.Own() {
		podNetwork = spec.NetworkFile
	}
	for _, f := range o.cniFiles() {
		isFirst := f.path < podNetwork
		if !o.isClusters(f) && (isFirst || !begun) { // init has said what is no error
			what := fmt.Sprintf("%s %v", f.Name, f.subnets())
			cni.Others = append(cni.Others, diagnose.CNIFile{Path: f.path, What: what, First: isFirst, Damaged: f.isDamaged()})
		}
	}
	return func(m *diagnose.Machine) { m.CNI = cni }, nil
}

// holds tells whether a file of CAs has all of another: while a CA is replaced, one of both has the new CA too.
func holds(all, some []byte) bool {
	some = bytes.TrimSpace(some)
	return len(some) > 0 && bytes.Contains(all, some)
}

// plainPlugins are those that need no daemon beside them.
var plainPlugins = []string{"bridge", "ptp", "macvlan", "ipvlan", "host-device", "vlan"}

// staleNetwork says why nothing serves a network of this cluster's, empty if something may. Most plugins have a
// kubeconfig, which the network's daemon writes; before there is a cluster, no daemon runs.
func (o *Observer) staleNetwork(f cniFile, begun bool) string {
	plugin := f.Plugins[0]
	file := cmp.Or(f.Kubeconfig, plugin.Kubeconfig, plugin.Kubernetes.Kubeconfig)
	data, err := readIfThere(o.Host, file)
	ours, caErr := readIfThere(o.Host, o.PKIFile("ca", ".crt"))
	k, badErr := pki.ParseKubeconfig(data)
	switch {
	case !strings.HasPrefix(file, "/"), err != nil, caErr != nil:
	case data == nil:
		return "the kubeconfig that it names, " + file + ", is missing"
	case badErr == nil && len(k.CA) > 0 && !holds(ours, k.CA) && !holds(k.CA, ours):
		return "the kubeconfig that it names, " + file + ", is for " + k.Server + " of a cluster with another CA"
	}
	if begun || slices.Contains(plainPlugins, plugin.Type) {
		return ""
	}
	return "its plugin, " + plugin.Type + ", needs a daemon that does not run yet"
}
