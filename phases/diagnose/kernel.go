package diagnose

import (
	"fmt"
	"slices"
)

// Limits are kernel settings and limits that can be in the way.
type Limits struct {
	InotifyInstances int // that this user may have; zero if unknown
	InotifyLeft      int // how many more could be had, up to InotifyAsked
	InotifyAsked     int // zero: not tried
	WatchRefused     bool
	KubeletServed    bool // the kubelet was started before, and has its own
	InotifyWatches   int  // that this user may have

	OpenFiles, MaxOpenFiles uint64 // of the whole machine

	ForwardingFixed  []string // settings that pods' packets need, that are off and can't be set
	ForwardingUndone []string // files that put them back at the next boot: "FILE: setting"
	StrictLinks      []string // links that drop packets which would be answered by another
}

// Module is a part of the kernel that something of ours needs.
type Module struct {
	Name     string
	Need     string // who needs it
	Required bool   // init can't come to an end without it
	State    ModuleState
}

// ModuleState is whether the kernel has a module.
type ModuleState string

// The states. Unknown is zero: a container without the machine's modules, for one.
const (
	ModuleUnknown  ModuleState = ""
	ModuleThere    ModuleState = "there"    // loaded, built in or to be loaded
	ModuleMissing  ModuleState = "missing"  // this kernel comes without it
	KernelReplaced ModuleState = "replaced" // the modules on disk are of another kernel
)

// InotifyNeeded is how many instances kubelet, containerd and the components take.
const InotifyNeeded = 16

func kernelEntries() []Entry {
	return []Entry{
		{
			ID: "inotify-used-up", Title: "no inotify instances or watches are left",
			Means:  "The kubelet sees by inotify which static pods there are, and ends if it gets none. The limits are for all programs of one user, and in a container shared with the machine and its other containers.",
			Remedy: "raise the limits: sysctl fs.inotify.max_user_instances=8192 fs.inotify.max_user_watches=524288; or let bootstrap do it: bootstrap preflight --fix",
			Check:  inotifyUsedUp, Cause: inotifyMissed,
		},
		{
			ID: "inotify-low", Title: "few inotify instances or watches are left",
			Means:  "Every pod's log that is followed, every Secret that is mounted and every kubelet takes some. When they are used up, programs end with \"too many open files\".",
			Remedy: "raise the limits: bootstrap preflight --fix",
			Check:  inotifyLow,
		},
		{
			ID: "open-files-used-up", Title: "nearly all files that the machine may open are open",
			Means:  "The kernel's table of open files (fs.file-max) is nearly full. When it is, every program fails in ways that do not tell why.",
			Remedy: "see who holds them: lsof | awk '{print $1}' | sort | uniq -c | sort -n | tail; or raise fs.file-max",
			Check:  openFilesUsedUp, Cause: causeToo(openFilesUsedUp),
		},
		{
			ID: "forwarding-fixed", Title: "packets are not forwarded, and that can't be changed",
			Means:  "Pods' packets go from link to link through this machine, which needs net.ipv4.ip_forward (net.ipv6.conf.all.forwarding). Here it is off, and read-only, as in a container.",
			Remedy: "turn it on from outside: in the container's settings, or on the machine it runs on",
			Check: func(m *Machine) []Finding {
				var found []Finding
				for _, name := range m.Limits.ForwardingFixed {
					found = append(found, Finding{Level: Error, What: fmt.Sprintf("%s is 0 and can't be set here: pods would reach nothing", name)})
				}
				return found
			},
		},
		{
			ID: "forwarding-undone", Title: "a file turns forwarding off at the next boot",
			Means:  "Files of sysctl settings are read by name, and the last one wins. bootstrap's is 99-bootstrap.conf; one that comes after it puts net.ipv4.ip_forward back to 0, and pods are cut off after a reboot.",
			Remedy: "take the setting out of that file",
			Check: func(m *Machine) []Finding {
				var found []Finding
				for _, file := range m.Limits.ForwardingUndone {
					found = append(found, Finding{Level: Warning, What: fmt.Sprintf("%s: at the next boot pods are cut off, as it is read after /etc/sysctl.d/99-bootstrap.conf", file)})
				}
				return found
			},
		},
		{
			ID: "rp-filter-strict", Title: "packets that come in by another link are dropped",
			Means:  "With rp_filter=1 the kernel drops what comes in by a link that it would not answer by. On a machine with several links that can be traffic of pods and of other nodes.",
			Remedy: "be less strict: sysctl net.ipv4.conf.all.rp_filter=2, kept in a file of /etc/sysctl.d",
			Check: func(m *Machine) []Finding {
				several := len(m.Limits.StrictLinks) > 1
				return findingIf(several, Finding{Level: Warning, What: fmt.Sprintf("rp_filter is strict on %v: what comes in by one and would be answered by another is dropped", m.Limits.StrictLinks)})
			},
		},
		{
			ID: "kernel-module-missing", Title: "the kernel lacks a part that pods need",
			Means:  "Images are mounted by overlay; pods are joined by bridge, veth and vxlan; br_netfilter lets Services work on their own node. Small kernels of clouds and boards come without some; and after an update of the kernel its modules are gone until the next boot.",
			Remedy: "install the kernel's other modules (Debian: linux-image-amd64 rather than -cloud-; Ubuntu: linux-modules-extra), or reboot after an update",
			Check:  moduleMissing,
		},
	}
}

func inotifyUsedUp(m *Machine) []Finding {
	l, f := m.Limits, Finding{Level: Error}
	if l.KubeletServed {
		f.Level = Warning
	}
	if l.InotifyAsked > 0 && l.InotifyLeft == 0 {
		f.What = fmt.Sprintf("no inotify instance is left, of %d (fs.inotify.max_user_instances): a kubelet can't start", l.InotifyInstances)
		return []Finding{f}
	}
	f.What = fmt.Sprintf("no inotify watch is left, of %d (fs.inotify.max_user_watches): a kubelet can't start", l.InotifyWatches)
	return findingIf(l.WatchRefused, f)
}

func inotifyLow(m *Machine) []Finding {
	l := m.Limits
	few := l.InotifyAsked >= InotifyNeeded && l.InotifyLeft > 0 && l.InotifyLeft < InotifyNeeded
	if few {
		return []Finding{{Level: Warning, What: fmt.Sprintf("only %d inotify instances are left, of %d (fs.inotify.max_user_instances)", l.InotifyLeft, l.InotifyInstances)}}
	}
	return findingIf(l.InotifyWatches > 0 && l.InotifyWatches < 4096 && !l.WatchRefused, Finding{
		Level: Warning, What: fmt.Sprintf("fs.inotify.max_user_watches is %d: a few dozen pods use that up", l.InotifyWatches),
	})
}

func openFilesUsedUp(m *Machine) []Finding {
	l := m.Limits
	return findingIf(l.MaxOpenFiles > 0 && l.OpenFiles > l.MaxOpenFiles/10*9, Finding{
		Level: Warning, What: fmt.Sprintf("%d files are open on this machine, and no more than %d can be (fs.file-max)", l.OpenFiles, l.MaxOpenFiles),
	})
}

func moduleMissing(m *Machine) []Finding {
	var found []Finding
	for _, module := range m.Modules {
		if !slices.Contains([]ModuleState{ModuleMissing, KernelReplaced}, module.State) {
			continue
		}
		f := Finding{Level: Warning, What: fmt.Sprintf("this kernel, %s, has no %s, which %s needs", m.System.Kernel, module.Name, module.Need)}
		if module.State == KernelReplaced {
			f.What = fmt.Sprintf("%s, which %s needs, can't be loaded: the modules on disk are of another kernel than %s", module.Name, module.Need, m.System.Kernel)
			f.Remedy = "reboot into the kernel that is installed"
		}
		if module.Required {
			f.Level = Error
		}
		found = append(found, f)
	}
	return found
}
