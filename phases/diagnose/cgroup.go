package diagnose

import (
	"fmt"
	"slices"
	"strings"
)

func cgroupRules() map[string]Rule {
	return map[string]Rule{
		"no-cgroups": {Check: noCgroups, Cause: causeToo(noCgroups)},
		"cgroup-v1": {Check: func(m *Machine) []Finding {
			return warnIf(m.System.CgroupVersion == 1, "cgroup version 1: the kubelet is told to accept it (failCgroupV1: false)")
		}},
		"cgroup-controller-missing": {Check: controllersMissing}, // later the kubelet says it: kubelet-cgroups
	}
}

func noCgroups(m *Machine) []Finding {
	return errorIf(m.System.Read && m.System.Systemd && m.System.CgroupVersion == 0, "no cgroups are mounted at /sys/fs/cgroup: no pod can run")
}

func controllersMissing(m *Machine) []Finding {
	if m.System.Controllers == nil {
		return nil
	}
	needed := []string{"cpu", "memory"}
	if m.System.CgroupVersion == 1 {
		needed = append(needed, "cpuset") // the kubelet asks for it by name
	}
	lacks := func(name string) bool { return !slices.Contains(m.System.Controllers, name) }
	missing := slices.DeleteFunc(needed, func(name string) bool { return !lacks(name) })
	if len(missing) > 0 {
		return []Finding{{
			Level: Error, What: fmt.Sprintf("the kernel has no cgroup controller for %s here, and pods need it", strings.Join(missing, ", ")),
			Remedy: fmt.Sprintf("turn it on, on the kernel's command line: cgroup_enable=%s; in a container, have it passed on", missing[0]),
		}}
	}
	return findingIf(lacks("pids"), Finding{
		Level: Warning, What: "the kernel has no cgroup controller for pids here: a pod can use up all process IDs",
		Remedy: "use a kernel with CONFIG_CGROUP_PIDS",
	})
}
