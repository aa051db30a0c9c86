package machine

import (
	"os"
	"strings"
)

// SysctlValue is a kernel setting such as "net.ipv4.ip_forward", with one tab between its
// words.
func (m Machine) SysctlValue(name string) (string, error) {
	data, err := os.ReadFile(m.SysctlPath(name))
	return strings.Join(strings.Fields(string(data)), "\t"), err
}

// KernelSays is SysctlValue where it does not matter why there is none.
func (m Machine) KernelSays(name string) string {
	value, _ := m.SysctlValue(name)
	return value
}

// sysctlNumber is zero where there is no such setting, or no number in it.
func (m Machine) sysctlNumber(name string) int {
	return int(number(m.KernelSays(name), 10))
}

// SysctlPath is the file of a kernel setting. A name part that has a dot itself, such as
// a VLAN link, needs slashes: "net/ipv4/conf/eth0.1/forwarding".
func (m Machine) SysctlPath(name string) string {
	if !strings.Contains(name, "/") {
		name = strings.ReplaceAll(name, ".", "/")
	}
	return m.Path("/proc/sys/" + name)
}

// SettingFixed tells that a kernel setting is off (0) and that not even root can set it.
func (m Machine) SettingFixed(sysctl string) bool {
	return m.KernelSays(sysctl) == "0" && readOnly(m.SysctlPath(sysctl))
}

// StrictLinks are those of links that drop what they would not answer by (rp_filter 1).
func (m Machine) StrictLinks(links []string) []string {
	var strict []string
	for _, link := range links {
		all, own := m.sysctlNumber("net/ipv4/conf/all/rp_filter"), m.sysctlNumber("net/ipv4/conf/"+link+"/rp_filter")
		if max(all, own) == 1 { // the higher of both holds
			strict = append(strict, link)
		}
	}
	return strict
}
