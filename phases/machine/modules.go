package machine

import (
	"os"
	"path/filepath"
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

// Modules tells for each name whether the kernel that runs, of that release, has it.
func (m Machine) Modules(release string, names ...string) map[string]ModuleState {
	dir := "/lib/modules/" + release
	lists := ""
	for _, file := range []string{"modules.builtin", "modules.dep"} {
		data, _ := os.ReadFile(m.Path(dir + "/" + file)) // none: the list says so below
		lists += "/" + strings.ReplaceAll(string(data), "-", "_") + "\n"
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
