package observe

import (
	"context"
	"slices"
	"strings"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/machine"
	"bootstrap/phases/spec"
)

// Kernel settings by which packets of pods pass. The kernel keeps the first two as one, and who sets that one
// sets the third too, by which links begin that are made later.
const (
	ipForward    = "net/ipv4/ip_forward"
	forwardAll   = "net/ipv4/conf/all/forwarding"
	forwardNew   = "net/ipv4/conf/default/forwarding"
	forwardPods  = "net/ipv4/conf/" + spec.BridgeName + "/forwarding"
	forward6     = "net/ipv6/conf/all/forwarding"
	bridgeFilter = "net/bridge/bridge-nf-call-iptables"
)

// lookAtForwarding finds out what can't be turned on, what is off though init turned it on, and what a boot
// would turn off.
func (o *Observer) lookAtForwarding(context.Context) (fill, error) {
	var fixed, off, undone []string
	ours, names := o.Forwarding(), []string{ipForward, forwardPods}
	if len(ours) > 1 {
		names = append(names, forward6)
	}
	if !o.Config.Box.Standalone { // there are no Services
		names = append(names, bridgeFilter)
	}
	for _, s := range ours {
		if o.Host.SettingFixed(s.Name) {
			fixed = append(fixed, s.Name)
		}
	}
	for _, name := range names {
		if o.Host.KernelSays(name) == "0" && !o.Host.SettingFixed(name) && o.Host.Made(spec.SysctlFile) {
			off = append(off, dotted(name))
		}
	}
	text := spec.SettingsText(append(ours, spec.KernelSetting{Name: bridgeFilter, Value: "1"}))
	boot := o.Host.BootSettings(spec.SysctlFile, string(text))
	for _, name := range append(names, forwardNew) {
		s := lastOf(boot, name)
		by := s.File + " sets " + dotted(s.Name) + " = 0"
		if s.Value == "0" && !slices.Contains(undone, by) {
			undone = append(undone, by)
		}
	}
	return func(m *diagnose.Machine) {
		m.Limits.ForwardingFixed, m.Limits.ForwardingOff, m.Limits.ForwardingUndone = fixed, off, undone
	}, nil
}

func dotted(name string) string { return strings.ReplaceAll(name, "/", ".") }

// lastOf is the last of a boot's settings that counts for a name. For the pods' link only those of its own name
// do: it is made after the boot, and systemd then makes the settings of its name anew.
func lastOf(boot []machine.BootSetting, name string) (last machine.BootSetting) {
	follows := name == ipForward || name == forwardNew
	for _, s := range boot {
		if s.Sets(name, boot) || follows && (s.Sets(ipForward, boot) || s.Sets(forwardAll, boot)) {
			last = s
		}
	}
	return last
}
