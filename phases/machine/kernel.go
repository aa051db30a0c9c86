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

// SysctlPath is the file of a kernel setting. A name part that has a dot itself, such as
// a VLAN link, needs slashes: "net/ipv4/conf/eth0.1/forwarding".
func (m Machine) SysctlPath(name string) string {
	if !strings.Contains(name, "/") {
		name = strings.ReplaceAll(name, ".", "/")
	}
	return m.Path("/proc/sys/" + name)
}

// moduleTraces is where a module shows that is built into the kernel, and so may be
// in none of the lists, in a container or without /lib/modules.
var moduleTraces = map[string]string{
	"br_netfilter": "/proc/sys/net/bridge",
	"nf_conntrack": "/proc/sys/net/netfilter",
}

// HasModule tells whether the kernel that runs has what a module brings, loaded or
// built in.
func (m Machine) HasModule(name string) bool {
	name = strings.ReplaceAll(name, "-", "_")
	paths := []string{"/sys/module/" + name}
	if trace := moduleTraces[name]; trace != "" {
		paths = append(paths, trace)
	}
	for _, path := range paths {
		if _, err := os.Stat(m.Path(path)); err == nil {
			return true
		}
	}
	return m.listed("/proc/modules", name, 0) || m.listed("/proc/filesystems", name, -1)
}

// listed tells whether a line of the file has name as its first (0) or last (-1)
// field.
func (m Machine) listed(file, name string, field int) bool {
	data, _ := os.ReadFile(m.Path(file)) // no such file: not listed
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		if len(words) > 0 && words[(field+len(words))%len(words)] == name {
			return true
		}
	}
	return false
}
