package phases

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/bundle"
	"bootstrap/phases/config"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/phases/netfilter"
	"bootstrap/phases/runtime"
)

// wholeMachine is machine with what takes time or asks others: only preflight looks so.
func (e *Env) wholeMachine(ctx context.Context, seen []part) *diagnose.Machine {
	m := &diagnose.Machine{Settings: e.settings(Begun), Now: time.Now()}
	gather(ctx, m, slices.Concat(e.quickParts(e.usedDisks), e.slowParts(), seen))
	return m
}

func (e *Env) slowParts() []part {
	parts := []part{
		{"other clusters", e.lookAtForeign},
		{"units", e.lookAtUnits},
		{"proxy", e.lookAtProxy},
		{"kernel modules", e.lookAtModules},
		{"kernel settings", e.lookAtForwarding},
		{"staticPodURL", e.askPodURL},
	}
	if !e.Host.Real() {
		return parts
	}
	return append(parts,
		part{"inotify limits", e.lookAtInotify(diagnose.InotifyNeeded)},
		part{"name servers", e.askNameServers},
		part{"hostname", e.lookUpHostname},
		part{"controlPlaneEndpoint", e.lookUpEndpoint},
		part{"firewall", e.lookAtFirewall},
		part{"container runtime", e.askRuntime},
		part{"external etcd", e.askExternalEtcd},
	)
}

// measureTime is short, as other parts wait for it.
const measureTime = 600 * time.Millisecond

// leastToMeasure is what must be free: what is measured with is 22 MiB.
const leastToMeasure = 1 << 30

// measureDisk measures only where a disk may be written to, and an etcd that is there
// does not wait for it.
func (e *Env) measureDisk(ctx context.Context) (note, error) {
	if !e.runsEtcd() || e.made(manifestFile("etcd")) {
		return nil, nil
	}
	if disk, err := e.Host.Disk(e.Config.Etcd.DataDir); err != nil || disk.Available < leastToMeasure {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, measureTime)
	defer cancel()
	p99, count, err := e.Host.SyncLatency(ctx, e.Config.Etcd.DataDir)
	return func(m *diagnose.Machine) { measured(m, e.Config.Etcd.DataDir, p99, count) }, err
}

// imagesToCome is what containerd of the bundle has yet to hold: each image as it came,
// and unpacked to three or four times that.
func (e *Env) imagesToCome() uint64 {
	if !e.Choices.Runtime.Install || e.Bundle == nil || e.made(containerdUnit) {
		return 0
	}
	var bytes int64
	needed := slices.Concat(e.Config.RequiredImages(), e.Config.Addons())
	for _, entry := range e.Bundle.Entries(bundle.Image) {
		if slices.Contains(needed, entry.Name) {
			bytes += 5 * entry.Size
		}
	}
	return uint64(max(bytes, 0))
}

func (e *Env) lookAtUnits(ctx context.Context) (note, error) {
	units := []string{"firewalld.service", kubeletService}
	if choice := e.Choices.Runtime; choice.None == nil && (choice.Install || runtime.SocketPath(choice.Endpoint) == containerdSocket) {
		units = append(units, "containerd.service")
	}
	states, err := e.unitStates(ctx, units)
	var masked, managers []string
	for i, unit := range units[1:] {
		if states[i+1].Load == "masked" {
			masked = append(masked, unit)
		}
	}
	if states[0].Active == "active" {
		managers = append(managers, "firewalld")
	}
	if e.usesUFW() {
		managers = append(managers, "ufw")
	}
	return func(m *diagnose.Machine) { m.Masked, m.Firewall.Managers = masked, managers }, err
}

// unitStates asks for all side by side: systemd looks for the files of each.
func (e *Env) unitStates(ctx context.Context, units []string) ([]host.UnitState, error) {
	states := make([]host.UnitState, len(units))
	err := each(len(units), len(units), func(i int) (err error) {
		states[i], err = e.Host.UnitState(ctx, units[i])
		return err
	})
	return states, err
}

// usesUFW asks ufw's own file: its unit is active also where it is turned off.
func (e *Env) usesUFW() bool {
	data, err := os.ReadFile(e.Host.Path("/etc/ufw/ufw.conf"))
	return err == nil && slices.Contains(strings.Split(string(data), "\n"), "ENABLED=yes")
}

func (e *Env) lookAtModules(context.Context) (note, error) {
	var wanted []diagnose.Module
	if e.Choices.Runtime.Install {
		wanted = append(wanted, diagnose.Module{Name: "overlay", Need: "containerd", Required: true})
	}
	links := []string{"bridge", "veth"}
	if !e.Config.Box.Standalone {
		wanted = append(wanted, diagnose.Module{Name: "br_netfilter", Need: "a pod that asks a Service of its own node"})
		links = append(links, "vxlan")
	}
	if e.Choices.Network.Own() {
		for _, name := range links {
			wanted = append(wanted, diagnose.Module{Name: name, Need: "the pod network"})
		}
	}
	var names []string
	for _, w := range wanted {
		names = append(names, w.Name)
	}
	states := e.Host.Modules(e.Facts.Kernel, names...)
	for i := range wanted {
		wanted[i].State = states[wanted[i].Name]
	}
	return func(m *diagnose.Machine) { m.Modules = wanted }, nil
}

func (e *Env) lookAtForwarding(context.Context) (note, error) {
	var fixed, undone []string
	for _, name := range e.forwarding() {
		if e.Host.SettingFixed(name) {
			fixed = append(fixed, name)
		}
		for file, value := range e.Host.SetLater(sysctlFile, name) {
			if value == "0" {
				undone = append(undone, file+" sets "+name+" = 0")
			}
		}
	}
	slices.Sort(undone)
	return func(m *diagnose.Machine) {
		m.Limits.ForwardingFixed, m.Limits.ForwardingUndone = fixed, undone
		m.Limits.StrictLinks = e.Host.StrictLinks(outerLinks(m.Network))
	}, nil
}

// outerLinks are those with an address that is known outside of the machine.
func outerLinks(n diagnose.Network) []string {
	var links []string
	for _, a := range n.Addresses {
		if a.Address.Is4() && !a.Containers && !isPodLink(a.Link) && !slices.Contains(links, a.Link) {
			links = append(links, a.Link)
		}
	}
	return links
}

func (e *Env) askNameServers(ctx context.Context) (note, error) {
	file := e.resolverFile()
	if file == "" {
		return nil, nil
	}
	servers, err := e.Host.NameServers(file)
	if err != nil {
		return nil, ignoring(err, os.ErrNotExist)
	}
	silent := make([]bool, len(servers))
	var asks []func()
	for i, server := range servers {
		asks = append(asks, func() { silent[i] = machine.AskNameServer(ctx, server) != nil })
	}
	sideBySide(asks...)
	return func(m *diagnose.Machine) {
		for i, server := range servers {
			if silent[i] {
				m.Resolver.Silent = append(m.Resolver.Silent, server)
			}
		}
	}, nil
}

// lookUp resolves a name as programs of this machine do; none is no error.
func lookUp(ctx context.Context, name string) ([]netip.Addr, error) {
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	var none *net.DNSError
	if errors.As(err, &none) && !none.IsTimeout {
		return nil, nil
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	return found, err
}

func (e *Env) lookUpHostname(ctx context.Context) (note, error) {
	name := diagnose.Name{Hostname: e.Facts.Hostname}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	found, err := lookUp(ctx, name.Hostname)
	// myhostname is part of systemd, and answers only who asks the C library.
	switches, _ := os.ReadFile(e.Host.Path("/etc/nsswitch.conf"))
	name.Looked = err == nil && (len(found) > 0 || !strings.Contains(string(switches), "myhostname"))
	name.Resolves = found
	return func(m *diagnose.Machine) { m.Name = name }, err
}

func (e *Env) lookUpEndpoint(ctx context.Context) (note, error) {
	name, _, err := net.SplitHostPort(e.Config.ControlPlaneEndpoint)
	if err != nil || e.Config.Box.Standalone {
		return nil, nil // there is none
	}
	found, err := lookUp(ctx, name)
	if err != nil {
		return nil, err
	}
	endpoint := diagnose.Endpoint{Looked: true, Addresses: found}
	here, err := e.Host.Addresses()
	if err == nil && len(found) > 0 && !slices.ContainsFunc(here, func(a machine.LinkAddress) bool { return slices.Contains(found, a.Address) }) {
		endpoint.Dial = dial(ctx, e.Config.ControlPlaneEndpoint)
	}
	return func(m *diagnose.Machine) { m.Endpoint = endpoint }, err
}

func (e *Env) lookAtFirewall(ctx context.Context) (note, error) {
	found, err := netfilter.ForwardDrops(ctx)
	if e.Host.Plans() && errors.Is(err, os.ErrPermission) {
		err = errors.New("only root may look at its rules")
	}
	drops := slices.DeleteFunc(found, func(chain string) bool { return !e.cutsOff(chain) })
	return func(m *diagnose.Machine) { m.Firewall.Drops = drops }, err
}

// cutsOff tells whether a chain that drops what is forwarded is in the way of pods. In
// iptables mode flannel lets its own pods pass in the tables of iptables.
func (e *Env) cutsOff(chain string) bool {
	six := strings.Contains(chain, "ip6 ")
	if six && !slices.ContainsFunc(e.Config.Networking.PodSubnets, func(p netip.Prefix) bool { return p.Addr().Is6() }) {
		return false
	}
	return e.Choices.Network.Own() && (e.Facts.NFTables || !strings.HasSuffix(chain, " filter FORWARD"))
}

// lookAtProxy asks what Go's programs ask: whether a request would go through a proxy.
func (e *Env) lookAtProxy(context.Context) (note, error) {
	var p diagnose.Proxy
	ask := func(host, name string) {
		to := &http.Request{URL: &url.URL{Scheme: "https", Host: net.JoinHostPort(host, "443")}}
		if proxy, err := http.ProxyFromEnvironment(to); err == nil && proxy != nil {
			p.URL = proxy.Redacted()
			p.Through = append(p.Through, name)
		}
	}
	c := e.Config
	if c.Box.Standalone {
		return func(m *diagnose.Machine) { m.Proxy = p }, nil
	}
	ask(c.AdvertiseAddress.String(), c.AdvertiseAddress.String())
	for _, subnet := range slices.Concat(c.Networking.ServiceSubnets, c.Networking.PodSubnets) {
		ask(subnet.Addr().Next().String(), subnet.String())
	}
	return func(m *diagnose.Machine) { m.Proxy = p }, nil
}

// askRuntime asks one that is not ours, if it runs.
func (e *Env) askRuntime(ctx context.Context) (note, error) {
	choice := e.Choices.Runtime
	if choice.None != nil || choice.Install || !e.exists(runtime.SocketPath(choice.Endpoint)) {
		return nil, nil
	}
	c, err := e.dialRuntime()
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
		answer.Wrong, answer.Mend = e.disagreement(ctx)
	}
	return func(m *diagnose.Machine) { m.CRI = answer }, nil // one that is not up yet is started by init
}

// disagreement is what the phase runtime will refuse, and the remedy.
func (e *Env) disagreement(ctx context.Context) (what, remedy string) {
	if _, err := e.checkRuntime(ctx); err != nil && hintOf(err) != "" { // the phase warns
		return err.Error(), hintOf(err)
	}
	return "", ""
}

// hostPorts are those that our components take.
func (e *Env) hostPorts() []int {
	var all []int
	for _, p := range ports(e.Config) {
		all = append(all, int(p.address.Port()))
	}
	return all
}

// clusterTraces are what other programs keep of their clusters.
var clusterTraces = []struct{ path, of string }{
	{"/var/lib/rancher/k3s/server", "k3s"}, {"/var/lib/rancher/k3s/agent", "k3s"},
	{"/var/lib/rancher/rke2", "RKE2"}, {"/var/lib/k0s", "k0s"}, {"/var/snap/microk8s/current", "MicroK8s"},
	{kubeletConf, "kubeadm"}, {adminConf, "kubeadm"},
}

func (e *Env) lookAtForeign(context.Context) (note, error) {
	var f diagnose.Foreign
	for _, trace := range clusterTraces {
		if e.exists(trace.path) && !e.made(trace.path) {
			f.Clusters = append(f.Clusters, trace.path+" ("+trace.of+")")
		}
	}
	f.HostPorts = e.hostPorts()
	f.Plugins = e.missingPlugins()
	f.Closed = e.closedVolumes()
	f.Manifests, f.Served = e.foreignManifests(), e.made(kubeletDropIn) || e.Config.Box.Standalone
	return func(m *diagnose.Machine) { m.Foreign = f }, nil
}

// closedVolumes are the extraVolumes that are there, and that root in a pod may not read.
func (e *Env) closedVolumes() []string {
	var closed []string
	for name, component := range map[string]config.Component{
		"kube-apiserver": e.Config.APIServer, "kube-controller-manager": e.Config.ControllerManager, "kube-scheduler": e.Config.Scheduler,
	} {
		for _, v := range component.ExtraVolumes {
			if by := e.Host.ClosedToRoot(v.HostPath); by != "" {
				closed = append(closed, fmt.Sprintf("%s of %s, for %s", v.HostPath, by, name))
			}
		}
	}
	slices.Sort(closed)
	return closed
}

// askExternalEtcd asks every member for its version, as the API server would reach it.
func (e *Env) askExternalEtcd(ctx context.Context) (note, error) {
	etcd := e.Config.Etcd.External
	if etcd == nil || e.Config.Box.Standalone {
		return nil, nil
	}
	client, clientErr := e.externalClient()
	urls := etcd.HTTPEndpoints
	if len(urls) == 0 {
		urls = etcd.Endpoints
	}
	members := make([]diagnose.ExternalEtcd, len(urls))
	var asks []func()
	for i, each := range urls {
		if clientErr != nil { // the API server could not ask either
			members[i] = diagnose.ExternalEtcd{URL: each, Error: clientErr.Error()}
			continue
		}
		asks = append(asks, func() { members[i] = askEtcd(ctx, client, each) })
	}
	sideBySide(asks...)
	return func(m *diagnose.Machine) { m.External = members }, nil
}

// addressNote tells which of several links' addresses was taken, and why.
func addressNote(m *diagnose.Machine) string {
	ours := m.Settings.AdvertiseAddress
	at, why := "", ""
	for _, a := range m.Network.Addresses {
		if a.Address == ours {
			at = a.Link
		}
	}
	var others []string
	for _, a := range m.Network.Addresses {
		if a.Link != at && !a.Containers && !isPodLink(a.Link) && a.Address.Is4() == ours.Is4() {
			others = append(others, a.Address.String()+" ("+a.Link+")")
		}
	}
	if at == "" || len(others) == 0 {
		return ""
	}
	if len(m.Network.Defaults) > 0 && m.Network.Defaults[0] == at {
		why = ", which has the default route"
	}
	return fmt.Sprintf("address %s of %s%s; there is %s as well: localAPIEndpoint.advertiseAddress chooses", ours, at, why, strings.Join(others, ", "))
}
