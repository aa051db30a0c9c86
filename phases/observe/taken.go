package observe

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"bootstrap/phases/config"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/machine"
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
	t.Rules, err = o.Host.ForeignRules(ctx, o.TakenRules())
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
	return append(taken, o.takenVXLAN()...)
}

// takenVXLAN is the port of flannel's link where a link holds it that shares it with none, as one that Cilium leaves.
func (o *Observer) takenVXLAN() []diagnose.TakenPort {
	if !o.Host.Real() || o.Config.Box.Standalone || !o.Choices.Network.Own() {
		return nil
	}
	family := "udp4"
	if o.Config.AdvertiseAddress.Is6() {
		family = "udp6"
	}
	socket, err := net.ListenPacket(family, fmt.Sprintf(":%d", spec.VXLANPort))
	if err == nil {
		_ = socket.Close()
		return nil
	}
	holder, shared := machine.VXLANAt(spec.VXLANPort)
	if shared && holder == "" {
		return nil
	}
	return []diagnose.TakenPort{{Number: spec.VXLANPort, For: "flannel", Link: holder, UDP: true, Error: err.Error()}}
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

// clusterTraces are folders and files by which other programs' clusters are recognized.
var clusterTraces = []struct{ path, of string }{
	{"/var/lib/rancher/k3s/server", "k3s"}, {"/var/lib/rancher/k3s/agent", "k3s"},
	{"/var/lib/rancher/rke2", "RKE2"}, {"/var/lib/k0s", "k0s"}, {"/var/snap/microk8s/current", "MicroK8s"},
	{spec.KubeletConf, "kubeadm"}, {spec.AdminConf, "kubeadm"},
}

func (o *Observer) lookAtForeign(context.Context) (fill, error) {
	var f diagnose.Foreign
	for _, trace := range clusterTraces {
		if o.Host.Exists(trace.path) && !o.Host.Made(trace.path) {
			f.Clusters = append(f.Clusters, trace.path+" ("+trace.of+")")
		}
	}
	for _, p := range spec.Ports(o.Config) {
		f.HostPorts = append(f.HostPorts, int(p.Address.Port()))
	}
	f.Plugins, f.Missing, f.Closed = o.missingPlugins(), o.oddVolumes(o.lacks), o.oddVolumes(o.closed)
	f.Manifests, f.Served = o.foreignManifests(), o.Host.Made(spec.KubeletDropIn) || o.Config.Box.Standalone
	return func(m *diagnose.Machine) { m.Foreign = f }, nil
}

// oddVolumes asks what is odd about each of the extraVolumes, and gives the answers.
func (o *Observer) oddVolumes(what func(config.Volume) string) []string {
	var odd []string
	for name, component := range map[string]config.Component{
		"kube-apiserver": o.Config.APIServer, "kube-controller-manager": o.Config.ControllerManager, "kube-scheduler": o.Config.Scheduler,
	} {
		for _, v := range component.ExtraVolumes {
			if text := what(v); text != "" {
				odd = append(odd, text+", for "+name)
			}
		}
	}
	slices.Sort(odd)
	return odd
}

// closed is what root in a pod may not read, though it is there.
func (o *Observer) closed(v config.Volume) string {
	if by := o.Host.ClosedToRoot(v.HostPath); by != "" {
		return v.HostPath + " of " + by
	}
	return ""
}

// lacks is what must be there, is not, and is nothing that init or the daemons make.
func (o *Observer) lacks(v config.Volume) string {
	file, etcd := path.Clean(v.HostPath), cmp.Or(o.Config.Etcd.DataDir, spec.StaticPodDir)
	own := []string{
		o.Config.CertificatesDir, etcd, spec.StaticPodDir, spec.KubeletDir, spec.ContainerdDir, spec.CNIConfigDir, spec.CNIPluginDir,
		spec.PodLogDir, "/var/log/containers", "/usr/libexec/kubernetes", "/run", "/var/run",
	}
	isOwn := func(dir string) bool {
		return strings.HasPrefix(file+"/", dir+"/") || strings.HasPrefix(dir+"/", file+"/")
	}
	isConf := path.Dir(file) == spec.KubernetesDir && path.Ext(file) == ".conf"
	if v.PathType != "File" && v.PathType != "Directory" || isConf || slices.ContainsFunc(own, isOwn) || o.Host.Exists(file) {
		return ""
	}
	return v.HostPath
}

// foreignManifests are what the kubelet would run beside ours.
func (o *Observer) foreignManifests() []diagnose.Manifest {
	files, _ := o.ForeignPodFiles()
	var all []diagnose.Manifest
	for _, f := range files {
		all = append(all, manifestOf(f))
	}
	return all
}

// missingPlugins are CNI plugins that somebody else's CNI configuration names and that are in no
// directory of plugins.
func (o *Observer) missingPlugins() []string {
	if o.Host.Made(spec.NetworkFile) {
		return nil
	}
	var missing []string
	network := o.clustersNetwork()
	for _, plugin := range network.Plugins {
		isIn := func(dir string) bool { return o.Host.Exists(dir + "/" + plugin.Type) }
		if plugin.Type != "" && !slices.ContainsFunc(spec.PluginDirs, isIn) {
			missing = append(missing, fmt.Sprintf("%s, in %s", plugin.Type, network.path))
		}
	}
	return missing
}
