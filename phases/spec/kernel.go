package spec

// Kernel settings that pod networking needs, kept over reboots.
const (
	ModulesFile = "/etc/modules-load.d/bootstrap.conf"
	ModulesText = "# Made by bootstrap; `bootstrap reset` removes it.\noverlay\nbr_netfilter\n"
	SysctlFile  = "/etc/sysctl.d/99-bootstrap.conf"
)

// KernelSetting is a sysctl and its value.
type KernelSetting struct{ Name, Value string }

// SettingsText is the content of a file in /etc/sysctl.d.
func SettingsText(settings []KernelSetting) []byte {
	text := "# Made by bootstrap; `bootstrap reset` removes it.\n"
	for _, s := range settings {
		text += s.Name + " = " + s.Value + "\n"
	}
	return []byte(text)
}

// Forwarding are the kernel settings by which packets of pods pass.
func (s *Spec) Forwarding() []KernelSetting {
	settings := []KernelSetting{{"net.ipv4.ip_forward", "1"}}
	if s.Config.AdvertiseAddress.Is6() || len(s.Config.Networking.PodSubnets) > 1 {
		settings = append(settings, KernelSetting{"net.ipv6.conf.all.forwarding", "1"})
	}
	return settings
}

// KubeletSettings are what every kubelet sets when it starts. init sets them before it, so
// that the ledger holds what reset gives back.
var KubeletSettings = []KernelSetting{
	{"kernel.keys.root_maxbytes", "25000000"},
	{"kernel.keys.root_maxkeys", "1000000"},
	{"kernel.panic", "10"},
	{"kernel.panic_on_oops", "1"},
	{"vm.overcommit_memory", "1"},
	{"vm.panic_on_oom", "0"},
}

// KubeletSysctlFile keeps KubeletSettings over a reboot, for a kubelet that refuses a machine
// where they are otherwise (protectKernelDefaults).
const KubeletSysctlFile = "/etc/sysctl.d/99-bootstrap-kubelet.conf"
