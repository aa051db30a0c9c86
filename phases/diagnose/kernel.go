package diagnose

import (
	"strings"

	"bootstrap/phases/machine"
)

// Limits are kernel settings and limits that can be in the way.
type Limits struct {
	Inotify       machine.Inotify
	InotifyAsked  int  // how many instances were asked for; zero: not tried
	KubeletServed bool // the kubelet was started before, and has its own

	OpenFiles, MaxOpenFiles uint64 // of the whole machine

	ForwardingFixed  []string // settings that pods' packets need, that are off and can't be set
	ForwardingOff    []string // those that are off though init turned them on
	ForwardingUndone []string // what turns them off at the next boot: "FILE sets NAME = 0"
	StrictLinks      []string // links that drop packets which would be answered by another
}

// Module is a part of the kernel that something of ours needs.
type Module struct {
	Name     string
	Need     string // who needs it
	Required bool   // init can't come to an end without it
	State    machine.ModuleState
}

// InotifyNeeded is how many instances kubelet, containerd and the components take.
const InotifyNeeded = 16

func kernelRules() map[string]Rule {
	return map[string]Rule{
		"inotify-used-up":    {Check: inotifyUsedUp, Cause: inotifyMissed},
		"inotify-low":        {Check: inotifyLow},
		"open-files-used-up": {Check: openFilesUsedUp, Cause: causeToo(openFilesUsedUp)},
		"forwarding-fixed": {Check: func(m *Machine) Findings {
			return ofEach(Error, m.Limits.ForwardingFixed, "%s is 0 and can't be set here: pods would reach nothing")
		}},
		"forwarding-undone": {Check: func(m *Machine) Findings {
			const what = "%s, and wins over /etc/sysctl.d/99-bootstrap.conf: after the next boot packets of pods are lost"
			return ofEach(Warning, m.Limits.ForwardingUndone, what)
		}},
		"forwarding-off": {Cause: forwardingOff},
		"rp-filter-strict": {Check: func(m *Machine) Findings {
			strict := m.Limits.StrictLinks
			return warnIf(len(strict) > 1, "rp_filter is strict on %v: what comes in by one and would be answered by another is dropped", strict)
		}},
		"kernel-module-missing": {Check: moduleMissing},
	}
}

// forwardingOff is never certain: the control plane, and some others, work without.
func forwardingOff(e *Evidence) Findings {
	off, undone := strings.Join(e.Limits.ForwardingOff, ", "), strings.Join(e.Limits.ForwardingUndone, ", ")
	if undone != "" {
		undone = "; at boot, " + undone
	}
	return warnIf(e.Addons && off != "", "off, though init turned it on, and packets of pods are lost: %s%s", off, undone).
		see("systemd-analyze cat-config sysctl.d")
}

func inotifyUsedUp(m *Machine) Findings {
	l, level := m.Limits, certainIf(!m.Limits.KubeletServed)
	switch {
	case l.InotifyAsked > 0 && l.Inotify.Left == 0:
		return finding(level, "no inotify instance is left, of %d (fs.inotify.max_user_instances): a kubelet can't start", l.Inotify.MaxInstances)
	case l.Inotify.WatchRefused:
		return finding(level, "no inotify watch is left, of %d (fs.inotify.max_user_watches): a kubelet can't start", l.Inotify.MaxWatches)
	}
	return nil
}

func inotifyLow(m *Machine) Findings {
	l := m.Limits
	few := l.InotifyAsked >= InotifyNeeded && l.Inotify.Left > 0 && l.Inotify.Left < InotifyNeeded
	if few {
		return finding(Warning, "only %d inotify instances are left, of %d (fs.inotify.max_user_instances)", l.Inotify.Left, l.Inotify.MaxInstances)
	}
	few = l.Inotify.MaxWatches > 0 && l.Inotify.MaxWatches < 4096 && !l.Inotify.WatchRefused
	return warnIf(few, "fs.inotify.max_user_watches is %d: a few dozen pods use that up", l.Inotify.MaxWatches)
}

func openFilesUsedUp(m *Machine) Findings {
	l := m.Limits
	full := l.MaxOpenFiles > 0 && l.OpenFiles > l.MaxOpenFiles/10*9
	return warnIf(full, "%d files are open on this machine, and no more than %d can be (fs.file-max)", l.OpenFiles, l.MaxOpenFiles)
}

func moduleMissing(m *Machine) Findings {
	return forEach(m.Modules, func(module Module) Findings {
		level := certainIf(module.Required)
		switch module.State {
		case machine.KernelReplaced:
			return finding(level, "%s, which %s needs, can't be loaded: the modules on disk are of another kernel than %s", module.Name, module.Need, m.System.Kernel).
				remedy("reboot into the kernel that is installed")
		case machine.ModuleMissing:
			return finding(level, "this kernel, %s, has no %s, which %s needs", m.System.Kernel, module.Name, module.Need)
		}
		return nil
	})
}
