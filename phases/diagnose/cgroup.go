package diagnose

import (
	"fmt"
	"slices"
	"strings"
)

// Cgroups is how the kernel limits processes here.
type Cgroups struct {
	Version     int      // 0: not mounted
	Controllers []string // that can be used; nil if it could not be read
}

func cgroupEntries() []Entry {
	return []Entry{
		{
			ID: "no-cgroups", Title: "no cgroups are mounted",
			Means:  "The kubelet and containerd put every pod into a cgroup. Without /sys/fs/cgroup neither starts.",
			Remedy: "mount them, as systemd does at boot: see that nothing hides /sys/fs/cgroup",
			Check:  noCgroups, Cause: causeToo(noCgroups),
		},
		{
			ID: "cgroup-v1", Title: "cgroup version 1",
			Means:  "The kubelet refuses cgroup version 1 unless it is told to accept it, as bootstrap does here. Kubernetes will drop it.",
			Remedy: "boot with cgroup version 2: systemd.unified_cgroup_hierarchy=1 on the kernel's command line",
			Check: func(m *Machine) []Finding {
				return findingIf(m.Cgroups.Version == 1, Finding{Level: Warning, What: "cgroup version 1: the kubelet is told to accept it (failCgroupV1: false)"})
			},
		},
		{
			ID: "cgroup-controller-missing", Title: "a cgroup controller is missing",
			Means:  "Pods have requests and limits for CPU and memory. Without the controller the kubelet ends when it starts, or no container does. Boards such as the Raspberry Pi have the memory controller off.",
			Remedy: "turn it on, on the kernel's command line: cgroup_enable=memory",
			Check:  controllersMissing, // later the kubelet says it: kubelet-cgroups
		},
	}
}

func noCgroups(m *Machine) []Finding {
	return findingIf(m.System.Read && m.Cgroups.Version == 0 && m.System.Systemd, Finding{Level: Error, What: "no cgroups are mounted at /sys/fs/cgroup: no pod can run"})
}

func controllersMissing(m *Machine) []Finding {
	if m.Cgroups.Controllers == nil {
		return nil
	}
	needed := []string{"cpu", "memory"}
	if m.Cgroups.Version == 1 {
		needed = append(needed, "cpuset") // the kubelet asks for it by name
	}
	lacks := func(name string) bool { return !slices.Contains(m.Cgroups.Controllers, name) }
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
