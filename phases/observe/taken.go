package observe

import (
	"context"
	"net"
	"path/filepath"
	"slices"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/machine"
	"bootstrap/phases/netfilter"
	"bootstrap/phases/spec"
	"bootstrap/phases/state"
)

// taken is looked at without a limit of time, as init does not work past what is found.
func (o *Observer) taken(ctx context.Context) (t diagnose.Taken, err error) {
	t.Ports, t.Links = o.takenPorts(), o.foreignLinks()
	if o.Config.Box.Standalone {
		return t, nil
	}
	t.Manifests, t.EtcdData = o.takenManifests(), o.foreignEtcdData()
	t.Rules, err = o.foreignRules(ctx)
	return t, err
}

// takenPorts tries to bind what the control plane will. On a re-run its own
// components hold them.
func (o *Observer) takenPorts() []diagnose.TakenPort {
	if o.Host.Made(spec.ManifestFile("etcd")) || o.Host.Made(spec.ManifestFile("kube-apiserver")) {
		return nil
	}
	var taken []diagnose.TakenPort
	for _, p := range spec.Ports(o.Config) {
		if p.OfKubelet() && o.Host.Made(spec.KubeletDropIn) {
			continue // of before, such as a standalone one
		}
		listener, err := net.Listen("tcp", p.Address.String())
		if err == nil {
			listener.Close()
			continue
		}
		if !machine.IsNotHere(err) { // the address is a finding of its own
			n := p.Address.Port()
			taken = append(taken, diagnose.TakenPort{Number: n, For: p.Owner, By: o.Host.Listener(n), Error: err.Error()})
		}
	}
	return taken
}

// takenManifests are another tool's, where ours will be.
func (o *Observer) takenManifests() []string {
	var taken []string
	for _, name := range spec.NodeComponents(o.Config) {
		if file := spec.ManifestFile(name); o.Host.Exists(file) && !o.Host.Made(file) {
			taken = append(taken, file)
		}
	}
	return taken
}

// foreignEtcdData is etcd's folder if it holds another cluster's data.
func (o *Observer) foreignEtcdData() string {
	if o.Config.Etcd.External != nil {
		return ""
	}
	dir := o.Config.Etcd.DataDir
	left, _ := filepath.Glob(o.Host.Path(dir) + "/*")
	isNewDisk := len(left) == 1 && filepath.Base(left[0]) == "lost+found" // a file system's first folder
	if len(left) == 0 || isNewDisk || slices.ContainsFunc(o.Host.Entries(), state.IsEtcdData) {
		return ""
	}
	return dir
}

// foreignLinks are of the names that our network gives its own: kubeadm reset leaves
// flannel's behind.
func (o *Observer) foreignLinks() []string {
	if !o.Host.Real() || o.Host.Made(spec.NetworkFile) || !o.Choices.Network.Own() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(spec.NetworkLinks), func(name string) bool {
		_, err := net.InterfaceByName(name)
		return err != nil
	})
}

// foreignRules are of the names that daemons of ours take for their own: they would empty
// and fill them, and reset could not tell whose is what. kubeadm reset leaves kube-proxy's
// behind.
func (o *Observer) foreignRules(ctx context.Context) ([]string, error) {
	var taken netfilter.Names
	if !o.Config.ProxyDisabled {
		taken = spec.ProxyRules(spec.ProxyMode(o.Config, o.Facts))
	}
	if o.Choices.Network.Own() {
		network := spec.FlannelRules(o.Facts)
		taken.Chains = append(taken.Chains, network.Chains...)
		taken.Tables = slices.Concat(taken.Tables, network.Tables) // a copy: they are shared
	}
	return o.Host.ForeignRules(ctx, taken)
}
