package phases

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/config"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/machine"
)

// quickParts are what can be told of this machine at once, also while it is waited for.
func (e *Env) quickParts(disks func() []diagnose.Disk) []part {
	parts := []part{
		{"disks", e.lookAtDisks(disks)},
		{"clock", e.lookAtClock},
		{"resolver", e.lookAtResolver},
		{"kernel", e.lookAtKernel},
		{"inotify", e.lookAtInotify(1)},
	}
	if e.Host.Real() {
		parts = append(parts, part{"addresses", e.lookAtNetwork})
	}
	return parts
}

// usedDisks are the folders that we and the daemons write to.
func (e *Env) usedDisks() []diagnose.Disk {
	all := []diagnose.Disk{
		{Path: containerdDir, Use: "images", Needs: e.imagesToCome()},
		{Path: kubeletDir, Use: "the kubelet", Daemon: "kubelet"},
		{Path: kubernetesDir, Use: "the cluster's files"},
		{Path: systemdDir, Use: "units"},
		{Path: podLogDir, Use: "logs of pods"},
	}
	if e.Bundle != nil {
		all = append(all, diagnose.Disk{Path: binDir, Use: "programs", Programs: true})
	}
	if e.Choices.Network.Own() {
		all = append(all, diagnose.Disk{Path: cniPluginDir, Use: "CNI plugins", Programs: true})
	}
	if dir := e.Config.Etcd.DataDir; e.runsEtcd() && dir != "" {
		data := diagnose.Disk{Path: dir, Use: "etcd's data", Daemon: "etcd"}
		if !e.exists(dir + "/member") {
			data.Needs = etcdToCome
		}
		all = append([]diagnose.Disk{data}, all...)
	}
	return all
}

func (e *Env) runsEtcd() bool { return e.Config.Etcd.External == nil && !e.Config.Box.Standalone }

// etcdToCome is two logs of 64 MiB, which etcd takes when it begins, and some data.
const etcdToCome = 160 << 20

func (e *Env) lookAtDisks(used func() []diagnose.Disk) func(context.Context) (note, error) {
	return func(context.Context) (note, error) {
		disks := used()
		var errs []error
		for i := range disks {
			errs = append(errs, e.lookAtDisk(&disks[i]))
		}
		return func(m *diagnose.Machine) { m.Disks = disks }, errors.Join(errs...)
	}
}

func (e *Env) lookAtDisk(d *diagnose.Disk) error {
	var err error
	d.Disk, err = e.Host.Disk(d.Path)
	return err
}

// timesyncClock was touched when systemd-timesyncd last knew the time.
const timesyncClock = "/var/lib/systemd/timesync/clock"

func (e *Env) lookAtClock(context.Context) (note, error) {
	clock := diagnose.Clock{Built: e.Built}
	if info, err := os.Stat(e.Host.Path(timesyncClock)); err == nil {
		clock.Marks = append(clock.Marks, diagnose.Mark{What: timesyncClock, At: info.ModTime(), Firm: true})
	}
	if all := e.Host.Entries(); len(all) > 0 {
		at, _ := time.Parse(time.RFC3339, all[len(all)-1].Time) // zero tells nothing
		clock.Marks = append(clock.Marks, diagnose.Mark{What: "the last record in the ledger", At: at, Firm: true})
	}
	if program, err := os.Executable(); err == nil {
		if info, err := os.Stat(program); err == nil {
			clock.Marks = append(clock.Marks, diagnose.Mark{What: program, At: info.ModTime()})
		}
	}
	return func(m *diagnose.Machine) { m.Clock = clock }, nil
}

func (e *Env) lookAtResolver(context.Context) (note, error) {
	_, own := e.ownResolver()
	r := diagnose.Resolver{Read: true, Own: own, File: e.resolverFile()}
	if r.File == "" {
		return func(m *diagnose.Machine) { m.Resolver = r }, nil
	}
	_, err := os.Stat(e.Host.Path(r.File))
	r.Missing = errors.Is(err, fs.ErrNotExist)
	if !r.Missing {
		r.Servers, err = e.Host.NameServers(r.File)
	}
	err = ignoring(err, fs.ErrNotExist)
	r.Read = err == nil
	return func(m *diagnose.Machine) {
		r.Silent = m.Resolver.Silent
		m.Resolver = r
	}, err
}

// resolverFile is what the kubelet makes pods' resolv.conf from.
func (e *Env) resolverFile() string {
	if own, ok := e.ownResolver(); ok {
		return own
	}
	return resolvConf(e.Facts)
}

// ownResolver is the user's choice: for the kubelet, a flag goes before its file.
func (e *Env) ownResolver() (file string, ok bool) {
	if flag := config.Argument(e.Config.KubeletExtraArgs, "resolv-conf"); flag != "" {
		return flag, true
	}
	file, ok = e.Config.Kubelet["resolvConf"].(string)
	return file, ok
}

func ignoring(err, kind error) error {
	if errors.Is(err, kind) {
		return nil
	}
	return err
}

func (e *Env) lookAtKernel(context.Context) (note, error) {
	system := diagnose.System{
		Facts: e.Facts, Read: true, SELinux: e.Host.Enforcing(), Controllers: e.Host.CgroupControllers(),
		OOMScores: e.Facts.SysResource || os.Geteuid() != 0, // of another user's rights this tells nothing
	}
	for _, name := range []string{"mount", "umount"} {
		if e.Host.Real() && !e.hasProgram(name) {
			system.Lacks = append(system.Lacks, name)
		}
	}
	open, limit := e.Host.OpenFiles()
	return func(m *diagnose.Machine) {
		m.System = system
		m.Limits.OpenFiles, m.Limits.MaxOpenFiles = open, limit
	}, nil
}

// hasProgram looks where systemd's units look.
func (e *Env) hasProgram(name string) bool {
	return slices.ContainsFunc(append([]string{"/sbin", "/bin"}, programDirs...), func(dir string) bool { return e.exists(dir + "/" + name) })
}

func (e *Env) lookAtInotify(ask int) func(context.Context) (note, error) {
	if !e.Host.Real() {
		ask = 0 // the kernel that runs is not that machine's
	}
	return func(context.Context) (note, error) {
		i, served := e.Host.Inotify(ask), e.made(kubeletDropIn)
		return func(m *diagnose.Machine) {
			m.Limits.Inotify, m.Limits.InotifyAsked, m.Limits.KubeletServed = i, ask, served
		}, nil
	}
}

func (e *Env) lookAtNetwork(context.Context) (note, error) {
	addresses, err := e.Host.Addresses()
	if err != nil {
		return nil, err
	}
	routes, err := e.Host.Routes()
	network := networkOf(e.Config.AdvertiseAddress, addresses, routes)
	return func(m *diagnose.Machine) { m.Network = network }, err
}

// networkOf leaves out what the pod network makes itself.
func networkOf(ours netip.Addr, addresses []machine.LinkAddress, routes []machine.Route) diagnose.Network {
	n := diagnose.Network{Addresses: addresses}
	for _, r := range routes {
		switch {
		case isPodLink(r.Link) || r.To.Addr().IsLinkLocalUnicast():
		case r.To.Bits() > 0:
			n.Routes = append(n.Routes, r)
		case r.To.Addr().Is4() == ours.Is4() && !slices.Contains(n.Defaults, r.Link):
			n.Defaults = append(n.Defaults, r.Link)
		}
	}
	return n
}

// podLinks are the names of links by which pods' addresses are meant to be reached.
var podLinks = []string{"cni", "flannel", "cali", "cilium", "lxc", "veth", "kube-", "vxlan.calico", "tunl"}

func isPodLink(link string) bool {
	return slices.Contains(networkLinks, link) || slices.ContainsFunc(podLinks, func(prefix string) bool { return strings.HasPrefix(link, prefix) })
}
