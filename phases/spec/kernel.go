package spec

// Kernel settings that pod networking needs, kept over reboots.
const (
	ModulesFile = "/etc/modules-load.d/bootstrap.conf"
	ModulesText = "# Made by bootstrap; `bootstrap reset` removes it.\noverlay\nbr_netfilter\n"
	SysctlFile  = "/etc/sysctl.d/99-bootstrap.conf"
	SysctlText  = "# Made by bootstrap; `bootstrap reset` removes it.\n"
)

// KernelSetting is a sysctl and its value.
type KernelSetting struct{ Name, Value string }

// SettingsText is the content of a file in /etc/sysctl.d.
func SettingsText(settings []KernelSetting) []byte {
	text := SysctlText
	for _, s := range settings {
		text += s.Name + " = " + s.Value + "\n"
	}
	return []byte(text)
}

// Forwarded are the settings of Forwarding, turned on.
func (s *Spec) Forwarded() []KernelSetting {
	var settings []KernelSetting
	for _, key := range s.Forwarding() {
		settings = append(settings, KernelSetting{key, "1"})
	}
	return settings
}

// Forwarding are the kernel settings by which packets of pods pass.
func (s *Spec) Forwarding() []string {
	settings := []string{"net.ipv4.ip_forward"}
	if s.Config.AdvertiseAddress.Is6() || len(s.Config.Networking.PodSubnets) > 1 {
		settings = append(settings, "net.ipv6.conf.all.forwarding")
	}
	return settings
}

// KubeletSettings are what every kubelet sets when it starts. They are set before, so
// that the ledger holds what reset gives back.
var KubeletSettings = []KernelSetting{
	{"kernel.keys.root_maxbytes", "25000000"},
	{"kernel.keys.root_maxkeys", "1000000"},
	{"kernel.panic", "10"},
	{"kernel.panic_on_oops", "1"},
	{"vm.overcommit_memory", "1"},
	{"vm.panic_on_oom", "0"},
}

// KubeletSysctlFile keeps them over a reboot for a kubelet that is to refuse others.
const KubeletSysctlFile = "/etc/sysctl.d/99-bootstrap-kubelet.conf"
