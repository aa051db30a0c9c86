package diagnose

import "bootstrap/phases/machine"

// System is what the machine and its kernel are.
type System struct {
	machine.Facts
	Read        bool     // else nothing is known of it
	OOMScores   bool     // this program may lower them
	SELinux     bool     // enforcing
	Controllers []string // of cgroups, that can be used; nil if it could not be read
	Lacks       []string // programs that the kubelet can't do without
}

const mib = 1 << 20

func systemRules() map[string]Rule {
	return map[string]Rule{
		"no-systemd": {Check: func(m *Machine) []Finding {
			return errorIf(m.System.Read && !m.System.Systemd, "systemd does not run this machine, and it has to start the kubelet")
		}},
		"few-cpus": {Check: func(m *Machine) []Finding {
			return warnIf(m.System.Read && !m.Settings.Standalone && m.System.CPUs < 2, "%d CPU: a control plane needs 2 to answer in time", m.System.CPUs)
		}},
		"little-memory": {Check: func(m *Machine) []Finding {
			little := m.System.Read && !m.Settings.Standalone && m.System.Memory < 1700*mib
			return warnIf(little, "%d MiB of memory: a control plane needs 1700", m.System.Memory/mib)
		}},
		"old-kernel": {Check: func(m *Machine) []Finding {
			old := m.System.Kernel != "" && machine.OlderKernel(m.System.Kernel, 5, 4)
			return warnIf(old, "the kernel is %s: Kubernetes is tested from 5.4 on", m.System.Kernel)
		}},
		"swap-on": {Check: func(m *Machine) []Finding {
			return warnIf(m.System.Swap, "swap is on: the kubelet is told to accept it (failSwapOn: false); pods do not use it")
		}},
		"no-oom-scores": {Check: func(m *Machine) []Finding {
			return warnIf(m.System.Read && !m.System.OOMScores, "no CAP_SYS_RESOURCE: OOM scores cannot be lowered here; containerd and kubelet are told so")
		}},
		"selinux-enforcing": {Check: func(m *Machine) []Finding {
			return warnIf(m.System.SELinux, "SELinux is enforcing: its policy may deny containers what they need")
		}},
		"program-missing": {Check: func(m *Machine) []Finding {
			return forEach(m.System.Lacks, func(program string) []Finding {
				return errorFound("the kubelet needs the program %s, and it is not on this machine", program)
			})
		}},
	}
}
