package machine

import (
	"path/filepath"
	"slices"
	"strings"
)

// ModuleState is whether the kernel has a module.
type ModuleState string

// The states of a module. It is unknown where the machine's modules can't be seen.
const (
	ModuleUnknown  ModuleState = ""
	ModuleThere    ModuleState = "there"    // loaded, built in or to be loaded
	ModuleMissing  ModuleState = "missing"  // this kernel comes without it
	KernelReplaced ModuleState = "replaced" // the modules on disk are of other kernels
)

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
	if trace := moduleTraces[name]; trace != "" && m.Exists(trace) || m.Exists("/sys/module/"+name) {
		return true
	}
	loaded := func(row []string) bool { return row[0] == name }
	fileSystem := func(row []string) bool { return row[len(row)-1] == name }
	return slices.ContainsFunc(m.table("/proc/modules", 1), loaded) || slices.ContainsFunc(m.table("/proc/filesystems", 1), fileSystem)
}

// Modules tells for each name whether the kernel that runs, of that release, has it.
func (m Machine) Modules(release string, names ...string) map[string]ModuleState {
	dir := "/lib/modules/" + release
	lists := ""
	for _, file := range []string{"modules.builtin", "modules.dep"} {
		lists += "/" + strings.ReplaceAll(m.read(dir+"/"+file), "-", "_") + "\n"
	}
	others, _ := filepath.Glob(m.Path("/lib/modules") + "/*/modules.dep")
	states := map[string]ModuleState{}
	for _, name := range names {
		switch {
		case m.HasModule(name), strings.Contains(lists, "/"+name+".ko"):
			states[name] = ModuleThere
		case len(lists) > len("/\n/\n"):
			states[name] = ModuleMissing
		case len(others) > 0:
			states[name] = KernelReplaced
		}
	}
	return states
}
