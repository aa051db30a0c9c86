package observe

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/pki"
	"bootstrap/phases/spec"
)

// cniFile is somebody else's CNI configuration, as far as it tells whose it is.
type cniFile struct {
	path string

	Name      string
	cniPlugin // of a file with one plugin alone
	Plugins   []cniPlugin
}

type cniPlugin struct {
	Type, Kubeconfig string
	Kubernetes       struct{ Kubeconfig string }
	IPAM             struct {
		cniRange
		Ranges [][]cniRange
	}
}

type cniRange struct{ Subnet string }

// cniFiles are those of others, in the order of their names: a runtime takes the first. Of one that can't
// be read, only the path is known.
func (o *Observer) cniFiles() []cniFile {
	var all []cniFile
	for _, path := range o.Host.Globs([]string{spec.CNIConfigDir + "/*"}) {
		if !spec.IsNetwork(path) || path == spec.NetworkFile {
			continue
		}
		f := cniFile{path: path}
		if data, err := o.Host.ReadFile(path); err != nil || json.Unmarshal(data, &f) != nil {
			f = cniFile{path: path}
		}
		if len(f.Plugins) == 0 {
			f.Plugins = []cniPlugin{f.cniPlugin}
		}
		all = append(all, f)
	}
	return all
}

// subnets are the ranges that the file itself gives; none where a cluster tells them.
func (f cniFile) subnets() []netip.Prefix {
	var all []netip.Prefix
	for _, p := range f.Plugins {
		for _, r := range append(slices.Concat(p.IPAM.Ranges...), p.IPAM.cniRange) {
			if s, err := netip.ParsePrefix(r.Subnet); err == nil {
				all = append(all, s)
			}
		}
	}
	return all
}

// isClusters tells whether a network may be that of a cluster's pods. One whose file gives addresses is not
// where these are no pods': so podman, CRI-O and nerdctl have networks of their own containers there.
func (f cniFile) isClusters(pods []netip.Prefix) bool {
	subnets := f.subnets()
	if len(subnets) == 0 {
		return f.Plugins[0].Type != "loopback"
	}
	return slices.ContainsFunc(subnets, func(s netip.Prefix) bool { return slices.ContainsFunc(pods, s.Overlaps) })
}

// clustersNetwork is the pod network that others have set up, without a path if there is none.
func (o *Observer) clustersNetwork() cniFile {
	for _, f := range o.cniFiles() {
		if f.isClusters(o.Config.Networking.PodSubnets) {
			return f
		}
	}
	return cniFile{Plugins: make([]cniPlugin, 1)}
}

// plainPlugins are those that need no daemon beside them.
var plainPlugins = []string{"", "bridge", "ptp", "macvlan", "ipvlan", "host-device", "vlan"}

func (o *Observer) lookAtCNI(context.Context) (fill, error) {
	left, begun := o.clustersNetwork(), o.Host.Made(spec.KubeletConf)
	cni := diagnose.CNI{Left: left.path, Plugin: left.Plugins[0].Type, Stale: o.staleNetwork(left)}
	cni.Unserved = !begun && !slices.Contains(plainPlugins, cni.Plugin)
	next := left.path
	if o.Choices.Network.Own() {
		next = spec.NetworkFile
	}
	for _, f := range o.cniFiles() {
		isFirst := f.path < next
		if !f.isClusters(o.Config.Networking.PodSubnets) && (isFirst || !begun) { // init has said what is no error
			what := strings.TrimSpace(f.Name + " " + fmt.Sprint(f.subnets()))
			cni.Others = append(cni.Others, diagnose.CNIFile{Path: f.path, What: what, First: isFirst})
		}
	}
	return func(m *diagnose.Machine) { m.CNI = cni }, nil
}

// staleNetwork says by what a network is of a cluster that is not this one, empty if it may be of this: most
// plugins have a kubeconfig, which their network's daemon writes.
func (o *Observer) staleNetwork(f cniFile) string {
	file := cmp.Or(f.Kubeconfig, f.Plugins[0].Kubeconfig, f.Plugins[0].Kubernetes.Kubeconfig)
	data, err := readIfThere(o.Host, file)
	ours, caErr := readIfThere(o.Host, o.PKIFile("ca", ".crt"))
	switch {
	case !filepath.IsAbs(file) || err != nil || caErr != nil:
		return ""
	case data == nil:
		return "the kubeconfig that it names, " + file + ", is missing"
	}
	k, err := pki.ParseKubeconfig(data)
	if err != nil || len(k.CA) == 0 || bytes.Contains(ours, bytes.TrimSpace(k.CA)) {
		return ""
	}
	return "the kubeconfig that it names, " + file + ", is for " + k.Server + " of a cluster with another CA"
}
