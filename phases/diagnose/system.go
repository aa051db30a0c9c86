package diagnose

import (
	"slices"
	"strings"
	"time"

	"bootstrap/phases/machine"
)

// System is what the machine and its kernel are.
type System struct {
	machine.Facts
	Read        bool     // else nothing is known of it
	OOMScores   bool     // this program may lower them
	SELinux     bool     // enforcing
	Controllers []string // of cgroups, that can be used; nil if it could not be read
	Lacks       []string // programs that the kubelet can't do without
}

// Clock is by what the machine's clock is judged.
type Clock struct {
	Marks []Mark    // things made at a time that was now
	Built time.Time // when this program's source was; zero if unknown

	Synced   bool     // a time service keeps it right
	Unsynced bool     // none does; where neither is so, it is not known
	Services []string // time services that run
}

// Mark is something that tells that a moment is past.
type Mark struct {
	What string // "the last record in the ledger"
	At   time.Time
	Firm bool // made on this machine, by its clock
}

const (
	clockSlack  = 2 * time.Minute          // what a clock may be put back by NTP
	dateSlack   = 26 * time.Hour           // for times that came from elsewhere
	clockTooFar = 5 * 365 * 24 * time.Hour // no release is used that long
)

const mib = 1 << 20

// systemRules are about the machine, its cgroups and its clock.
func systemRules() map[string]Rule {
	return map[string]Rule{
		"no-systemd": {Check: func(m *Machine) Findings {
			return errorIf(m.System.Read && !m.System.Systemd, "systemd does not run this machine, and it has to start the kubelet")
		}},
		"few-cpus": {Check: func(m *Machine) Findings {
			return warnIf(m.System.Read && !m.Settings.Standalone && m.System.CPUs < 2, "%d CPU: a control plane needs 2 to answer in time", m.System.CPUs)
		}},
		"little-memory": {Check: func(m *Machine) Findings {
			little := m.System.Read && !m.Settings.Standalone && m.System.Memory < 1700*mib
			return warnIf(little, "%d MiB of memory: a control plane needs 1700", m.System.Memory/mib)
		}},
		"old-kernel": {Check: func(m *Machine) Findings {
			return warnIf(machine.Older(m.System.Kernel, 5, 4), "the kernel is %s: Kubernetes is tested from 5.4 on", m.System.Kernel)
		}},
		"swap-on": {Check: func(m *Machine) Findings {
			return warnIf(m.System.Swap, "swap is on: the kubelet is told to accept it (failSwapOn: false); pods do not use it")
		}},
		"no-oom-scores": {Check: func(m *Machine) Findings {
			return warnIf(m.System.Read && !m.System.OOMScores, "no CAP_SYS_RESOURCE: OOM scores cannot be lowered here; containerd and kubelet are told so")
		}},
		"selinux-enforcing": {Check: func(m *Machine) Findings {
			return warnIf(m.System.SELinux, "SELinux is enforcing: its policy may deny containers what they need")
		}},
		"program-missing": {Check: func(m *Machine) Findings {
			return ofEach(Error, m.System.Lacks, "the kubelet needs the program %s, and it is not on this machine")
		}},
		"no-cgroups": {Check: noCgroups, Cause: causeToo(noCgroups)},
		"cgroup-v1": {Check: func(m *Machine) Findings {
			return warnIf(m.System.CgroupVersion == 1, "cgroup version 1: the kubelet is told to accept it (failCgroupV1: false)")
		}},
		"cgroup-controller-missing": {Check: controllersMissing}, // later the kubelet says it: kubelet-cgroups
		"clock-behind":              {Check: clockBehind, Cause: causeToo(clockBehind)},
		"clock-unsynced":            {Check: clockUnsynced},
		"clock-ahead": {Check: func(m *Machine) Findings {
			built := m.Clock.Built
			ahead := !built.IsZero() && m.Now.Sub(built) > clockTooFar
			return warnIf(ahead, "the clock says %s, more than 5 years after this program was made (%s)", moment(m.Now), moment(built))
		}},
	}
}

func noCgroups(m *Machine) Findings {
	return errorIf(m.System.Read && m.System.Systemd && m.System.CgroupVersion == 0, "no cgroups are mounted at /sys/fs/cgroup: no pod can run")
}

func controllersMissing(m *Machine) Findings {
	if m.System.Controllers == nil {
		return nil
	}
	needed := []string{"cpu", "memory"}
	if m.System.CgroupVersion == 1 {
		needed = append(needed, "cpuset") // the kubelet asks for it by name
	}
	there := func(name string) bool { return slices.Contains(m.System.Controllers, name) }
	if missing := slices.DeleteFunc(needed, there); len(missing) > 0 {
		return finding(Error, "the kernel has no cgroup controller for %s here, and pods need it", strings.Join(missing, ", ")).
			remedy("turn it on, on the kernel's command line: cgroup_enable=%s; in a container, have it passed on", missing[0])
	}
	return warnIf(!there("pids"), "the kernel has no cgroup controller for pids here: a pod can use up all process IDs").
		remedy("use a kernel with CONFIG_CGROUP_PIDS")
}

func clockUnsynced(m *Machine) Findings {
	services := strings.Join(m.Clock.Services, ", ")
	return warnIf(m.Clock.Unsynced && services != "", "%s runs, and has not set the clock yet, which says %s", services, moment(m.Now))
}

func clockBehind(m *Machine) Findings {
	for _, mark := range append(m.Clock.Marks, Mark{What: "this program", At: m.Clock.Built}) {
		slack := dateSlack
		if mark.Firm {
			slack = clockSlack
		}
		if mark.At.Sub(m.Now) > slack {
			return finding(Warning, "the clock says %s, and %s is of %s", moment(m.Now), mark.What, moment(mark.At))
		}
	}
	return nil
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
