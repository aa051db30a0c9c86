package phases

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"bootstrap/phases/config"
	"bootstrap/phases/host"
	"bootstrap/phases/spec"
)

// noNeighbours is what is wrong where packets of a bridge don't pass the firewall's rules.
const noNeighbours = "%v: pods may not reach Services on their own node"

// prepareKernel ends with the file of settings: with the machine turned off earlier, the
// next boot would set them unrecorded, and reset would leave them.
func (e *Env) prepareKernel(ctx context.Context) error {
	if _, err := e.Host.WriteFile(spec.ModulesFile, []byte(spec.ModulesText), 0o644); err != nil {
		return err
	}
	if err := e.Host.LoadModule(ctx, "overlay"); err != nil {
		return err
	}
	if err := e.Host.LoadModule(ctx, "br_netfilter"); err != nil {
		e.Tell.Warn(noNeighbours, err)
	}
	if err := e.keepWhatForwardingSets(); err != nil {
		return err
	}
	settings, bridged := slices.Concat(e.routed(), e.Forwarded()), e.bridged()
	if err := e.set(settings); err != nil {
		return err
	}
	err := e.trySet(bridged)
	if _, err := e.Host.WriteFile(spec.SysctlFile, spec.SettingsText(slices.Concat(settings, bridged)), 0o644); err != nil {
		return err
	}
	if !e.Host.Plans() { // a module that was just loaded has systemd set, in its own time, what other files say
		err = e.trySet(bridged)
	}
	if err != nil {
		e.Tell.Warn(noNeighbours, err)
	}
	return nil
}

// trySet goes on after errors.
func (e *Env) trySet(settings []spec.KernelSetting) error {
	var errs []error
	for _, s := range settings {
		errs = append(errs, e.Host.Sysctl(s.Name, s.Value))
	}
	return errors.Join(errs...)
}

func (e *Env) set(settings []spec.KernelSetting) error {
	for _, s := range settings {
		if err := e.Host.Sysctl(s.Name, s.Value); err != nil {
			return err
		}
	}
	return nil
}

// routed are the kernel settings by which links keep a default route that the kernel has
// from a router's advertisements: with forwarding it takes these only where asked twice.
func (e *Env) routed() []spec.KernelSetting {
	if len(e.Forwarding()) < 2 {
		return nil // IPv6 is not forwarded
	}
	routes, _ := e.Host.Routes() // where they can't be told, none is kept
	var settings []spec.KernelSetting
	for _, r := range e.Host.Entries() { // of a run before, whatever the routes are now
		if r.Op == host.OpSysctl && !r.Undone && strings.HasSuffix(r.Target, "/accept_ra") && e.Host.Exists("/proc/sys/"+r.Target) {
			settings = append(settings, spec.KernelSetting{Name: r.Target, Value: "2"})
		}
	}
	for _, route := range routes {
		s := spec.KernelSetting{Name: "net/ipv6/conf/" + route.Link + "/accept_ra", Value: "2"}
		if route.Advertised && route.To.Bits() == 0 && e.Host.KernelSays(s.Name) == "1" && !slices.Contains(settings, s) {
			settings = append(settings, s)
		}
	}
	return settings
}

// keepWhatForwardingSets: with each change of ip_forward the kernel sets that of every link,
// and when it is turned off, it accepts redirects again, also where they were refused.
func (e *Env) keepWhatForwardingSets() error {
	links, err := filepath.Glob(e.Host.Path("/proc/sys/net/ipv4/conf/*/forwarding"))
	if err != nil || e.Host.KernelSays("net/ipv4/ip_forward") != "0" {
		return err
	}
	var kept []string
	for _, link := range links {
		if name := "net/ipv4/conf/" + filepath.Base(filepath.Dir(link)) + "/forwarding"; e.Host.KernelSays(name) == "1" {
			kept = append(kept, name)
		}
	}
	if redirects := "net/ipv4/conf/all/accept_redirects"; e.Host.KernelSays(redirects) == "0" {
		kept = append(kept, redirects)
	}
	var errs []error
	for _, name := range kept {
		errs = append(errs, e.Host.KeepSysctl(name))
	}
	return errors.Join(errs...)
}

// bridged are the kernel settings by which the answer of a pod to its neighbour, asked by
// a Service's address, passes kube-proxy's rules again.
func (e *Env) bridged() []spec.KernelSetting {
	all := []spec.KernelSetting{{Name: "net.bridge.bridge-nf-call-iptables", Value: "1"}, {Name: "net.bridge.bridge-nf-call-ip6tables", Value: "1"}}
	return slices.DeleteFunc(all, func(s spec.KernelSetting) bool {
		return !e.Host.Exists("/proc/sys/" + strings.ReplaceAll(s.Name, ".", "/"))
	})
}

// keepKubeletSettings writes the file after the settings, as prepareKernel does.
func (e *Env) keepKubeletSettings() error {
	flag := config.Argument(e.Config.KubeletExtraArgs, "protect-kernel-defaults")
	if field, _ := e.Config.Kubelet["protectKernelDefaults"].(bool); flag != "true" && (flag != "" || !field) {
		return nil
	}
	_, err := e.Host.WriteFile(spec.KubeletSysctlFile, spec.SettingsText(spec.KubeletSettings), 0o644)
	return err
}

// setDaemonSettings leaves it to the kubelet, and to kube-proxy, to say what they can't
// do without.
func (e *Env) setDaemonSettings() {
	settings := spec.KubeletSettings
	if !e.Config.Box.Standalone {
		settings = slices.Concat(settings, spec.ProxySettings(e.Config, e.Facts))
		if err := e.keepConntrack(); err != nil {
			e.Tell.Warn("%v", err)
		}
	}
	for _, s := range settings {
		if err := e.Host.Sysctl(s.Name, s.Value); err != nil {
			e.Tell.Warn("%v", err)
		}
	}
}
