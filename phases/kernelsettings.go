package phases

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"bootstrap/phases/config"
	"bootstrap/phases/host"
)

// Kernel settings that pod networking needs, kept over reboots.
const (
	modulesFile = "/etc/modules-load.d/bootstrap.conf"
	modulesText = "# Made by bootstrap; `bootstrap reset` removes it.\noverlay\nbr_netfilter\n"
	sysctlFile  = "/etc/sysctl.d/99-bootstrap.conf"
	sysctlText  = "# Made by bootstrap; `bootstrap reset` removes it.\n"
)

// kernelSetting is a sysctl and its value.
type kernelSetting struct{ name, value string }

// noNeighbours is what is wrong where packets of a bridge don't pass the firewall's rules.
const noNeighbours = "%v: pods may not reach Services on their own node"

// prepareKernel ends with the file of settings: with the machine turned off earlier, the
// next boot would set them unrecorded, and reset would leave them.
func (e *Env) prepareKernel(ctx context.Context) error {
	if _, err := e.Host.WriteFile(modulesFile, []byte(modulesText), 0o644); err != nil {
		return err
	}
	if err := e.Host.LoadModule(ctx, "overlay"); err != nil {
		return err
	}
	if err := e.Host.LoadModule(ctx, "br_netfilter"); err != nil {
		e.warn(noNeighbours, err)
	}
	if err := e.keepWhatForwardingSets(); err != nil {
		return err
	}
	settings, bridged := slices.Concat(e.routed(), e.forwarded()), e.bridged()
	if err := e.set(settings); err != nil {
		return err
	}
	err := e.trySet(bridged)
	if _, err := e.Host.WriteFile(sysctlFile, settingsText(slices.Concat(settings, bridged)), 0o644); err != nil {
		return err
	}
	if !e.Host.Plans() { // a module that was just loaded has systemd set, in its own time, what other files say
		err = e.trySet(bridged)
	}
	if err != nil {
		e.warn(noNeighbours, err)
	}
	return nil
}

func settingsText(settings []kernelSetting) []byte {
	text := sysctlText
	for _, s := range settings {
		text += s.name + " = " + s.value + "\n"
	}
	return []byte(text)
}

// trySet goes on after errors.
func (e *Env) trySet(settings []kernelSetting) error {
	var errs []error
	for _, s := range settings {
		errs = append(errs, e.Host.Sysctl(s.name, s.value))
	}
	return errors.Join(errs...)
}

func (e *Env) set(settings []kernelSetting) error {
	for _, s := range settings {
		if err := e.Host.Sysctl(s.name, s.value); err != nil {
			return err
		}
	}
	return nil
}

// routed are the kernel settings by which links keep a default route that the kernel has
// from a router's advertisements: with forwarding it takes these only where asked twice.
func (e *Env) routed() []kernelSetting {
	if len(e.forwarding()) < 2 {
		return nil // IPv6 is not forwarded
	}
	routes, _ := e.Host.Routes() // where they can't be told, none is kept
	var settings []kernelSetting
	for _, r := range e.Host.Entries() { // of a run before, whatever the routes are now
		if r.Op == host.OpSysctl && !r.Undone && strings.HasSuffix(r.Target, "/accept_ra") && e.exists("/proc/sys/"+r.Target) {
			settings = append(settings, kernelSetting{r.Target, "2"})
		}
	}
	for _, route := range routes {
		s := kernelSetting{"net/ipv6/conf/" + route.Link + "/accept_ra", "2"}
		if route.Advertised && route.To.Bits() == 0 && e.kernelSays(s.name) == "1" && !slices.Contains(settings, s) {
			settings = append(settings, s)
		}
	}
	return settings
}

// keepWhatForwardingSets: with each change of ip_forward the kernel sets that of every link,
// and when it is turned off, it accepts redirects again, also where they were refused.
func (e *Env) keepWhatForwardingSets() error {
	links, err := filepath.Glob(e.Host.Path("/proc/sys/net/ipv4/conf/*/forwarding"))
	if err != nil || e.kernelSays("net/ipv4/ip_forward") != "0" {
		return err
	}
	var kept []string
	for _, link := range links {
		if name := "net/ipv4/conf/" + filepath.Base(filepath.Dir(link)) + "/forwarding"; e.kernelSays(name) == "1" {
			kept = append(kept, name)
		}
	}
	if redirects := "net/ipv4/conf/all/accept_redirects"; e.kernelSays(redirects) == "0" {
		kept = append(kept, redirects)
	}
	var errs []error
	for _, name := range kept {
		errs = append(errs, e.Host.KeepSysctl(name))
	}
	return errors.Join(errs...)
}

// kernelSays is a setting's value, empty without one.
func (e *Env) kernelSays(name string) string {
	now, _ := e.Host.SysctlValue(name)
	return now
}

// bridged are the kernel settings by which the answer of a pod to its neighbour, asked by
// a Service's address, passes kube-proxy's rules again.
func (e *Env) bridged() []kernelSetting {
	all := []kernelSetting{{"net.bridge.bridge-nf-call-iptables", "1"}, {"net.bridge.bridge-nf-call-ip6tables", "1"}}
	return slices.DeleteFunc(all, func(s kernelSetting) bool { return !e.exists("/proc/sys/" + strings.ReplaceAll(s.name, ".", "/")) })
}

func (e *Env) forwarded() []kernelSetting {
	var settings []kernelSetting
	for _, key := range e.forwarding() {
		settings = append(settings, kernelSetting{key, "1"})
	}
	return settings
}

// forwarding are the kernel settings by which packets of pods pass.
func (e *Env) forwarding() []string {
	settings := []string{"net.ipv4.ip_forward"}
	if e.Config.AdvertiseAddress.Is6() || len(e.Config.Networking.PodSubnets) > 1 {
		settings = append(settings, "net.ipv6.conf.all.forwarding")
	}
	return settings
}

// kubeletSettings are what every kubelet sets when it starts. They are set before, so
// that the ledger holds what reset gives back.
var kubeletSettings = []kernelSetting{
	{"kernel.keys.root_maxbytes", "25000000"},
	{"kernel.keys.root_maxkeys", "1000000"},
	{"kernel.panic", "10"},
	{"kernel.panic_on_oops", "1"},
	{"vm.overcommit_memory", "1"},
	{"vm.panic_on_oom", "0"},
}

// kubeletSysctlFile keeps them over a reboot for a kubelet that is to refuse others.
const kubeletSysctlFile = "/etc/sysctl.d/99-bootstrap-kubelet.conf"

// keepKubeletSettings writes the file after the settings, as prepareKernel does.
func (e *Env) keepKubeletSettings() error {
	flag := config.Argument(e.Config.KubeletExtraArgs, "protect-kernel-defaults")
	if field, _ := e.Config.Kubelet["protectKernelDefaults"].(bool); flag != "true" && (flag != "" || !field) {
		return nil
	}
	_, err := e.Host.WriteFile(kubeletSysctlFile, settingsText(kubeletSettings), 0o644)
	return err
}

// setDaemonSettings leaves it to the kubelet, and to kube-proxy, to say what they can't
// do without.
func (e *Env) setDaemonSettings() {
	settings := kubeletSettings
	if !e.Config.Box.Standalone {
		settings = slices.Concat(settings, proxySettings(e.Config, e.Facts))
		if err := e.keepConntrack(); err != nil {
			e.warn("%v", err)
		}
	}
	for _, s := range settings {
		if err := e.Host.Sysctl(s.name, s.value); err != nil {
			e.warn("%v", err)
		}
	}
}
