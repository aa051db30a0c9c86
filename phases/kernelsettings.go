package phases

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"bootstrap/phases/config"
	"bootstrap/phases/host"
	"bootstrap/phases/spec"
)

// noNeighbours warns that packets of a bridge don't pass the firewall's rules.
const noNeighbours = "%v: pods may not reach Services on their own node"

// prepareKernel sets and records the settings before it writes their file. If the machine went
// down between both in the other order, the next boot would set them unrecorded, and reset
// would not give back what was before.
func prepareKernel(ctx context.Context, env *Env) error {
	h := env.Host
	if _, err := h.WriteFile(spec.ModulesFile, []byte(spec.ModulesText), 0o644); err != nil {
		return err
	}
	if err := h.LoadModule(ctx, "overlay"); err != nil {
		return err
	}
	if err := h.LoadModule(ctx, "br_netfilter"); err != nil {
		env.Tell.Warn(noNeighbours, err)
	}
	if err := keepWhatForwardingSets(h); err != nil {
		return err
	}
	set := func(s spec.KernelSetting) error { return h.Sysctl(s.Name, s.Value) }
	settings, bridged := env.Forwarding(), bridged(h)
	if len(settings) > 1 { // IPv6 too
		settings = slices.Concat(routed(h), settings)
	}
	for _, s := range settings {
		if err := set(s); err != nil {
			return err
		}
	}
	err := forAll(bridged, set)
	if _, err := h.WriteFile(spec.SysctlFile, spec.SettingsText(slices.Concat(settings, bridged)), 0o644); err != nil {
		return err
	}
	if !h.Plans() { // a module that was just loaded has systemd set, in its own time, what other files say
		err = forAll(bridged, set)
	}
	if err != nil {
		env.Tell.Warn(noNeighbours, err)
	}
	return nil
}

// routed are the kernel settings by which links keep a default route that the kernel has
// from a router's advertisements. Once it forwards packets, the kernel takes such a route only
// where accept_ra is 2.
func routed(h *host.Host) []spec.KernelSetting {
	routes, _ := h.Routes() // where the routes can't be read, none is kept
	var settings []spec.KernelSetting
	for _, r := range h.Entries() { // what a run before has set stays, whatever the routes are now
		if r.Op == host.OpSysctl && !r.Undone && strings.HasSuffix(r.Target, "/accept_ra") && h.Exists("/proc/sys/"+r.Target) {
			settings = append(settings, spec.KernelSetting{Name: r.Target, Value: "2"})
		}
	}
	for _, route := range routes {
		s := spec.KernelSetting{Name: "net/ipv6/conf/" + route.Link + "/accept_ra", Value: "2"}
		if route.Advertised && route.To.Bits() == 0 && h.KernelSays(s.Name) == "1" && !slices.Contains(settings, s) {
			settings = append(settings, s)
		}
	}
	return settings
}

// keepWhatForwardingSets records the settings that the kernel changes along with ip_forward:
// it sets forwarding of every link, and when ip_forward is turned off, it accepts redirects
// again, also where they were refused.
func keepWhatForwardingSets(h *host.Host) error {
	links, err := filepath.Glob(h.Path("/proc/sys/net/ipv4/conf/*/forwarding"))
	if err != nil || h.KernelSays("net/ipv4/ip_forward") != "0" {
		return err
	}
	var kept []string
	for _, link := range links {
		if name := "net/ipv4/conf/" + filepath.Base(filepath.Dir(link)) + "/forwarding"; h.KernelSays(name) == "1" {
			kept = append(kept, name)
		}
	}
	if redirects := "net/ipv4/conf/all/accept_redirects"; h.KernelSays(redirects) == "0" {
		kept = append(kept, redirects)
	}
	return forAll(kept, h.KeepSysctl)
}

// keepConntrack records the settings of connection tracking before the first kube-proxy changes
// them, so that reset can give them back.
func keepConntrack(h *host.Host, s *spec.Spec) error {
	if s.Config.ProxyDisabled || h.Made(spec.KubeletConf) {
		return nil
	}
	var names []string
	for _, name := range []string{"max", "tcp_be_liberal", "tcp_timeout_established", "tcp_timeout_close_wait", "udp_timeout", "udp_timeout_stream"} {
		names = append(names, "net/netfilter/nf_conntrack_"+name)
	}
	isNotThere := func(name string) bool { return h.KernelSays(name) == "" } // a module that comes later brings its own
	return forAll(slices.DeleteFunc(names, isNotThere), h.KeepSysctl)
}

// bridged are the kernel settings by which the answer of a pod to its neighbour, asked by
// a Service's address, passes kube-proxy's rules again.
func bridged(h *host.Host) []spec.KernelSetting {
	all := []spec.KernelSetting{{Name: "net.bridge.bridge-nf-call-iptables", Value: "1"}, {Name: "net.bridge.bridge-nf-call-ip6tables", Value: "1"}}
	return slices.DeleteFunc(all, func(s spec.KernelSetting) bool {
		return !h.Exists("/proc/sys/" + strings.ReplaceAll(s.Name, ".", "/"))
	})
}

// keepKubeletSettings makes the kubelet's settings last over a reboot where the kubelet is told
// to refuse others. As in prepareKernel, the file is written after they are set and recorded.
func keepKubeletSettings(h *host.Host, c *config.Config) error {
	flag := config.Argument(c.KubeletExtraArgs, "protect-kernel-defaults")
	if field, _ := c.Kubelet["protectKernelDefaults"].(bool); flag != "true" && (flag != "" || !field) {
		return nil
	}
	_, err := h.WriteFile(spec.KubeletSysctlFile, spec.SettingsText(spec.KubeletSettings), 0o644)
	return err
}

// setDaemonSettings goes on without what can't be set: the kubelet and kube-proxy say
// themselves what they can't do without.
func setDaemonSettings(env *Env) {
	settings := spec.KubeletSettings
	if !env.Config.Box.Standalone {
		settings = slices.Concat(settings, spec.ProxySettings(env.Config, env.Facts))
		if err := keepConntrack(env.Host, &env.Spec); err != nil {
			env.Tell.Warn("%v", err)
		}
	}
	for _, s := range settings {
		if err := env.Host.Sysctl(s.Name, s.Value); err != nil {
			env.Tell.Warn("%v", err)
		}
	}
}
