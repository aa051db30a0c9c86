package observe

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"bootstrap/phases/bundle"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/machine"
	"bootstrap/phases/netfilter"
	"bootstrap/phases/plan"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
)

// slowParts take time or ask others: only preflight looks at them. m is what quickParts have seen.
func (o *Observer) slowParts(m *diagnose.Machine) []part {
	parts := []part{
		{"other clusters", o.lookAtForeign},
		{"units", o.lookAtUnits},
		{"proxy", o.lookAtProxy},
		{"kernel modules", o.lookAtModules},
		{"staticPodURL", o.askPodURL},
	}
	if !o.Host.Real() {
		return parts
	}
	askServers := func(ctx context.Context) (fill, error) { return askNameServers(ctx, m.Resolver.Servers) }
	return append(parts,
		part{"links", o.lookAtLinks},
		part{"inotify limits", o.lookAtInotify(diagnose.InotifyNeeded)},
		part{"name servers", askServers},
		part{"hostname", o.lookUpHostname},
		part{"controlPlaneEndpoint", o.lookUpEndpoint},
		part{"firewall", o.lookAtFirewall},
		part{"container runtime", o.askRuntime},
		part{"external etcd", o.askExternalEtcd},
	)
}

// measureTime is short, as all that takes longer is looked at only after it.
const measureTime = 600 * time.Millisecond

// leastToMeasure is what must be free on a disk: the file that is written to measure it has 22 MiB.
const leastToMeasure = 1 << 30

// measureDisk measures how fast the disk of etcd's data is, unless an etcd of ours is there: that
// would have to wait for the disk.
func (o *Observer) measureDisk(ctx context.Context) (fill, error) {
	if !o.RunsEtcd() || o.Host.Made(spec.ManifestFile("etcd")) {
		return nil, nil
	}
	if disk, err := o.Host.Disk(o.Config.Etcd.DataDir); err != nil || disk.Available < leastToMeasure {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, measureTime)
	defer cancel()
	p99, count, err := o.Host.SyncLatency(ctx, o.Config.Etcd.DataDir)
	return func(m *diagnose.Machine) {
		for i := range m.Disks {
			if m.Disks[i].Path == o.Config.Etcd.DataDir {
				m.Disks[i].SyncP99, m.Disks[i].Syncs = p99, count
			}
		}
	}, err
}

// imagesToCome is the space that the bundle's images need in a containerd that is installed from it:
// each is kept as it came, and unpacked to three or four times that.
func (o *Observer) imagesToCome() uint64 {
	if !o.Choices.Runtime.Install || o.Host.Made(spec.ContainerdUnit) {
		return 0
	}
	var bytes int64
	needed := slices.Concat(o.Config.RequiredImages(), o.Config.Addons())
	for _, entry := range o.Bundle.Entries(bundle.Image) {
		if slices.Contains(needed, entry.Name) {
			bytes += 5 * entry.Size
		}
	}
	return uint64(max(bytes, 0))
}

// programsToCome is the space that those of the bundle's programs need that are not installed yet.
func (o *Observer) programsToCome() uint64 {
	var names []string
	if o.Choices.Runtime.Install {
		names = append(names, spec.RuntimePrograms...)
	}
	if o.Choices.Kubelet.Install {
		names = append(names, "kubelet")
	}
	for _, name := range spec.Tools {
		if !o.Config.Box.Standalone && o.Host.ForeignProgram(name) == "" {
			names = append(names, name)
		}
	}
	return sizeOf(toInstall(o.Bundle.Entries(bundle.Binary), o.Host.Entries()), names)
}

// sizeOf is the space that the entries of these names take.
func sizeOf(entries []bundle.Entry, names []string) (bytes uint64) {
	for _, e := range entries {
		if slices.Contains(names, e.Name) {
			bytes += uint64(max(e.Size, 0))
		}
	}
	return bytes
}

// timeServices are the units of those that distributions have.
var timeServices = []string{
	"systemd-timesyncd.service", "chrony.service", "chronyd.service", "ntp.service", "ntpd.service", "ntpsec.service", "openntpd.service",
}

func (o *Observer) lookAtUnits(ctx context.Context) (fill, error) {
	units := []string{"firewalld.service", spec.KubeletService}
	if choice := o.Choices.Runtime; choice.None == nil && (choice.Install || runtime.SocketPath(choice.Endpoint) == spec.ContainerdSocket) {
		units = append(units, "containerd.service")
	}
	states, err := unitStates(ctx, o.Host, slices.Concat(units, timeServices))
	running := slices.DeleteFunc(slices.Clone(timeServices), func(unit string) bool { return states[unit].Active != "active" })
	var masked, managers []string
	for _, unit := range units[1:] {
		if states[unit].Load == "masked" {
			masked = append(masked, unit)
		}
	}
	if states[units[0]].Active == "active" {
		managers = append(managers, "firewalld")
	}
	// ufw's own file is read, as its unit is active even where ufw is turned off.
	if ufw, _ := os.ReadFile(o.Host.Path("/etc/ufw/ufw.conf")); slices.Contains(strings.Split(string(ufw), "\n"), "ENABLED=yes") {
		managers = append(managers, "ufw")
	}
	return func(m *diagnose.Machine) { m.Masked, m.Firewall.Managers, m.Clock.Services = masked, managers, running }, err
}

func (o *Observer) lookAtModules(context.Context) (fill, error) {
	var wanted []diagnose.Module
	if o.Choices.Runtime.Install {
		wanted = append(wanted, diagnose.Module{Name: "overlay", Need: "containerd", Required: true})
	}
	links := []string{"bridge", "veth"}
	if !o.Config.Box.Standalone {
		wanted = append(wanted, diagnose.Module{Name: "br_netfilter", Need: "a pod that asks a Service of its own node"})
		links = append(links, "vxlan")
	}
	if o.Choices.Network.Own() {
		for _, name := range links {
			wanted = append(wanted, diagnose.Module{Name: name, Need: "the pod network"})
		}
	}
	var names []string
	for _, w := range wanted {
		names = append(names, w.Name)
	}
	states := o.Host.Modules(o.Facts.Kernel, names...)
	for i := range wanted {
		wanted[i].State = states[wanted[i].Name]
	}
	return func(m *diagnose.Machine) { m.Modules = wanted }, nil
}

func (o *Observer) lookAtLinks(context.Context) (fill, error) {
	return func(m *diagnose.Machine) { m.Limits.StrictLinks = o.Host.StrictLinks(outerLinks(m.Network)) }, nil
}

// isOuter tells whether an address is known outside of the machine.
func isOuter(a machine.LinkAddress) bool { return !a.Containers && !spec.IsPodLink(a.Link) }

// outerLinks are those with an IPv4 address that is known outside of the machine.
func outerLinks(n diagnose.Network) []string {
	var links []string
	for _, a := range n.Addresses {
		if a.Address.Is4() && isOuter(a) && !slices.Contains(links, a.Link) {
			links = append(links, a.Link)
		}
	}
	return links
}

func askNameServers(ctx context.Context, servers []netip.Addr) (fill, error) {
	answers := make([]error, len(servers))
	err := plan.Each(len(servers), len(servers), func(i int) error {
		answers[i] = machine.AskNameServer(ctx, servers[i])
		return nil
	})
	return func(m *diagnose.Machine) {
		for i, server := range servers {
			if answers[i] != nil {
				m.Resolver.Silent = append(m.Resolver.Silent, server)
			}
		}
	}, err
}

// lookUp resolves a name as programs of this machine do. A name without addresses is no error.
func lookUp(ctx context.Context, name string) ([]netip.Addr, error) {
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if none, ok := errors.AsType[*net.DNSError](err); ok && !none.IsTimeout {
		return nil, nil
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	return found, err
}

func (o *Observer) lookUpHostname(ctx context.Context) (fill, error) {
	name := diagnose.Name{Hostname: o.Facts.Hostname}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	found, err := lookUp(ctx, name.Hostname)
	// Go's resolver does not ask systemd's myhostname, as the C library does: where that is
	// configured, no answer means nothing.
	switches, _ := os.ReadFile(o.Host.Path("/etc/nsswitch.conf"))
	name.Looked = err == nil && (len(found) > 0 || !strings.Contains(string(switches), "myhostname"))
	name.Resolves = found
	return func(m *diagnose.Machine) { m.Name = name }, err
}

func (o *Observer) lookUpEndpoint(ctx context.Context) (fill, error) {
	name := o.Config.EndpointHost()
	if name == "" || o.Config.Box.Standalone {
		return nil, nil
	}
	found, err := lookUp(ctx, name)
	if err != nil {
		return nil, err
	}
	endpoint := diagnose.Endpoint{Looked: true, Addresses: found}
	here, err := o.Host.Addresses()
	if err == nil && len(found) > 0 && !slices.ContainsFunc(here, func(a machine.LinkAddress) bool { return slices.Contains(found, a.Address) }) {
		endpoint.Dial = dial(ctx, o.Config.ControlPlaneEndpoint)
	}
	return func(m *diagnose.Machine) { m.Endpoint = endpoint }, err
}

func (o *Observer) lookAtFirewall(ctx context.Context) (fill, error) {
	found, err := netfilter.ForwardDrops(ctx)
	if o.Host.Plans() && errors.Is(err, os.ErrPermission) {
		err = errors.New("only root may look at its rules")
	}
	drops := slices.DeleteFunc(found, func(chain string) bool { return !o.cutsOff(chain) })
	return func(m *diagnose.Machine) { m.Firewall.Drops = drops }, err
}

// cutsOff tells whether a chain that drops forwarded packets is in the way of our pod network. In
// the chains of iptables it is not if flannel uses iptables too: then it lets its pods pass there.
func (o *Observer) cutsOff(chain string) bool {
	six := strings.Contains(chain, "ip6 ")
	if six && !slices.ContainsFunc(o.Config.Networking.PodSubnets, func(p netip.Prefix) bool { return p.Addr().Is6() }) {
		return false
	}
	return o.Choices.Network.Own() && (o.Facts.NFTables || !strings.HasSuffix(chain, " filter FORWARD"))
}

// lookAtProxy finds out whether requests inside of the cluster would go through a proxy.
func (o *Observer) lookAtProxy(ctx context.Context) (fill, error) {
	var own diagnose.Proxy
	if through, proxy := spec.Proxied(o.Config, *httpproxy.FromEnvironment()); proxy != nil {
		own = diagnose.Proxy{URL: proxy.Redacted(), Through: through}
	}
	kubelets, err := o.kubeletsProxy(ctx)
	return func(m *diagnose.Machine) { m.Proxy, m.KubeletProxy = own, kubelets }, err
}

// UnitEnvironment is what a service gets from systemd and from its files, as NAME=VALUE, without what ours says.
func (o *Observer) UnitEnvironment(ctx context.Context, unit, ours string) ([]string, error) {
	given, err := o.Host.UnitEnvironment(ctx)
	variables, _ := o.Host.UnitVariables(unit, ours) // of files that can't be read the phases tell
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		given = append(given, name+"="+variables[name].Text)
	}
	return given, err
}

// kubeletsProxy finds a file that gives the kubelet a NO_PROXY after our drop-in has, which completes it: systemd reads
// drop-ins by name, and the files that they name last.
func (o *Observer) kubeletsProxy(ctx context.Context) (none diagnose.Proxy, err error) {
	variables, _ := o.Host.UnitVariables(spec.KubeletService, spec.KubeletDropIn)
	given, set := variables["NO_PROXY"]
	_, file, _ := strings.Cut(given.From, " in ")
	isUnit, isDropIn := path.Ext(file) == ".service", path.Ext(file) == ".conf"
	if !set || isUnit || isDropIn && path.Base(file) < path.Base(spec.KubeletDropIn) {
		return none, nil
	}
	environment, err := o.UnitEnvironment(ctx, spec.KubeletService, spec.KubeletDropIn)
	through, proxy := spec.ProxiedBy(o.Config, environment)
	if err != nil || proxy == nil {
		return none, err
	}
	return diagnose.Proxy{URL: proxy.Redacted(), Through: through, File: file}, nil
}

// askRuntime asks a runtime that others have installed whether it will do, if it runs.
func (o *Observer) askRuntime(ctx context.Context) (fill, error) {
	choice := o.Choices.Runtime
	if choice.None != nil || choice.Install || !o.Host.Exists(runtime.SocketPath(choice.Endpoint)) {
		return nil, nil
	}
	c, err := o.DialRuntime()
	if err != nil || c == nil {
		return nil, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	answer := diagnose.CRI{Socket: runtime.SocketPath(choice.Endpoint)}
	info, err := c.Who(ctx)
	answer.NoCRI, answer.Hangs = errors.Is(err, runtime.ErrNoCRI), errors.Is(err, runtime.ErrHangs)
	if err == nil {
		answer.Name, answer.Version = info.Name, strings.TrimPrefix(info.Version, "v")
		if _, err := o.CheckRuntime(ctx); err != nil && plan.HintOf(err) != "" { // what is only a warning, the phase runtime says
			answer.Wrong = ProblemOf(err)
		}
	}
	return func(m *diagnose.Machine) { m.CRI = answer }, nil // one that is not up yet is started by init
}

// addressChoice says which of several links' addresses was taken, and why. It is empty where there
// was no choice.
func addressChoice(m *diagnose.Machine) string {
	ours := m.Settings.AdvertiseAddress
	at := slices.IndexFunc(m.Network.Addresses, func(a machine.LinkAddress) bool { return a.Address == ours })
	if at < 0 {
		return ""
	}
	link, why := m.Network.Addresses[at].Link, ""
	var others []string
	for _, a := range m.Network.Addresses {
		if a.Link != link && isOuter(a) && a.Address.Is4() == ours.Is4() {
			others = append(others, a.Address.String()+" ("+a.Link+")")
		}
	}
	if len(others) == 0 {
		return ""
	}
	if len(m.Network.Defaults) > 0 && m.Network.Defaults[0] == link {
		why = ", which has the default route"
	}
	return fmt.Sprintf("address %s of %s%s; there is %s as well: localAPIEndpoint.advertiseAddress chooses", ours, link, why, strings.Join(others, ", "))
}
