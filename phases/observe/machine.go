package observe

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"time"

	"bootstrap/phases/config"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/phases/spec"
)

// quickParts take no time, so that they are looked at by preflight and again and again in a wait.
func (o *Observer) quickParts(disks func() []diagnose.Disk) []part {
	parts := []part{
		{"disks", o.lookAtDisks(disks)},
		{"clock", o.lookAtClock},
		{"resolver", o.lookAtResolver},
		{"kernel", o.lookAtKernel},
		{"inotify", o.lookAtInotify(1)},
		{"CNI configurations", o.lookAtCNI},
		{"kernel settings", o.lookAtForwarding},
	}
	if o.Host.Real() {
		parts = append(parts, part{"addresses", o.lookAtNetwork})
	}
	return parts
}

// usedDisks are the folders that we and the daemons write to.
func (o *Observer) usedDisks() []diagnose.Disk {
	all := append(daemonDisks(o.imagesToCome()),
		diagnose.Disk{Path: spec.KubernetesDir, Use: "the cluster's files"},
		diagnose.Disk{Path: spec.SystemdDir, Use: "units"},
	)
	if o.Bundle != nil {
		all = append(all, diagnose.Disk{Path: spec.BinDir, Use: "programs", Programs: true, Needs: o.programsToCome()})
	}
	if o.Choices.Network.Own() {
		all = append(all, diagnose.Disk{Path: spec.CNIPluginDir, Use: "CNI plugins", Programs: true})
	}
	if dir := o.Config.Etcd.DataDir; o.RunsEtcd() && dir != "" {
		data := diagnose.Disk{Path: dir, Use: "etcd's data", Daemon: "etcd"}
		if !o.Host.Exists(dir + "/member") {
			data.Needs = etcdToCome
		}
		all = append([]diagnose.Disk{data}, all...)
	}
	return all
}

// etcdToCome is the space that a new etcd needs: two logs of 64 MiB, and some data.
const etcdToCome = 160 << 20

func (o *Observer) lookAtDisks(used func() []diagnose.Disk) func(context.Context) (fill, error) {
	return func(context.Context) (fill, error) {
		disks := used()
		var errs []error
		for i := range disks {
			var err error
			disks[i].Disk, err = o.Host.Disk(disks[i].Path)
			errs = append(errs, err)
		}
		return func(m *diagnose.Machine) { m.Disks = disks }, errors.Join(errs...)
	}
}

// timesyncClock is a file that systemd-timesyncd touches whenever it knows the time.
const timesyncClock = "/var/lib/systemd/timesync/clock"

func (o *Observer) lookAtClock(context.Context) (fill, error) {
	clock := diagnose.Clock{Built: o.Built}
	if o.Host.Real() {
		synced, known := machine.ClockSynced()
		clock.Synced, clock.Unsynced = synced, known && !synced
	}
	if info, err := os.Stat(o.Host.Path(timesyncClock)); err == nil {
		clock.Marks = append(clock.Marks, diagnose.Mark{What: timesyncClock, At: info.ModTime(), Firm: true})
	}
	if all := o.Host.Entries(); len(all) > 0 {
		at, _ := time.Parse(time.RFC3339, all[len(all)-1].Time) // zero is before any clock, and so proves nothing
		clock.Marks = append(clock.Marks, diagnose.Mark{What: "the last record in the ledger", At: at, Firm: true})
	}
	if program, err := os.Executable(); err == nil {
		if info, err := os.Stat(program); err == nil {
			clock.Marks = append(clock.Marks, diagnose.Mark{What: program, At: info.ModTime()})
		}
	}
	return func(m *diagnose.Machine) { m.Clock = clock }, nil
}

func (o *Observer) lookAtResolver(context.Context) (fill, error) {
	_, own := o.OwnResolver()
	r := diagnose.Resolver{Own: own, File: o.ResolverFile()}
	var err error
	if r.File != "" {
		r.Servers, err = o.Host.NameServers(r.File)
	}
	r.NoHosts = o.Host.Real() && !o.Host.Exists("/etc/hosts") // a directory that stands for a machine need not have one
	r.Missing = errors.Is(err, fs.ErrNotExist)
	err = ignoring(err, fs.ErrNotExist)
	r.Read = err == nil
	return func(m *diagnose.Machine) { m.Resolver = r }, err
}

func ignoring(err, kind error) error {
	if errors.Is(err, kind) {
		return nil
	}
	return err
}

func (o *Observer) lookAtKernel(context.Context) (fill, error) {
	system := diagnose.System{
		Facts: o.Facts, Read: true, SELinux: o.Host.Enforcing(), Controllers: o.Host.CgroupControllers(),
		OOMScores: o.Facts.SysResource || os.Geteuid() != 0, // this process has the kubelet's rights only if it runs as root
	}
	for _, name := range []string{"mount", "umount"} {
		if o.Host.Real() && o.Host.Program(name) == "" {
			system.Lacks = append(system.Lacks, name)
		}
	}
	open, limit := o.Host.OpenFiles()
	return func(m *diagnose.Machine) {
		m.System = system
		m.Limits.OpenFiles, m.Limits.MaxOpenFiles = open, limit
	}, nil
}

func (o *Observer) lookAtInotify(ask int) func(context.Context) (fill, error) {
	if !o.Host.Real() {
		ask = 0 // a directory stands for the machine, and the running kernel is another's
	}
	return func(context.Context) (fill, error) {
		i, served := o.Host.Inotify(ask), o.Host.Made(spec.KubeletDropIn)
		return func(m *diagnose.Machine) {
			m.Limits.Inotify, m.Limits.InotifyAsked, m.Limits.KubeletServed = i, ask, served
		}, nil
	}
}

func (o *Observer) lookAtNetwork(context.Context) (fill, error) {
	addresses, err := o.Host.Addresses()
	if err != nil {
		return nil, err
	}
	routes, err := o.Host.Routes()
	network := networkOf(o.Config.AdvertiseAddress, addresses, routes)
	network.LoopbackDown = machine.LoopbackDown()
	return func(m *diagnose.Machine) { m.Network = network }, err
}

// networkOf is the machine's network without the links and routes that the pod network makes.
func networkOf(ours netip.Addr, addresses []machine.LinkAddress, routes []machine.Route) diagnose.Network {
	n := diagnose.Network{Addresses: addresses}
	for _, r := range routes {
		switch {
		case spec.IsPodLink(r.Link) || r.To.Addr().IsLinkLocalUnicast():
		case r.To.Bits() > 0:
			n.Routes = append(n.Routes, r)
		case r.To.Addr().Is4() == ours.Is4() && !slices.Contains(n.Defaults, r.Link):
			n.Defaults = append(n.Defaults, r.Link)
		}
	}
	return n
}

// TrustedCAs are the folders of trusted CAs that this machine has: distributions differ.
func TrustedCAs(h *host.Host) []string {
	return slices.DeleteFunc(slices.Clone(config.TrustedCAs), func(dir string) bool {
		info, err := os.Stat(h.Path(dir))
		return err != nil || !info.IsDir()
	})
}
