package diagnose

import "fmt"

// System is what the machine and its kernel are.
type System struct {
	Read         bool // else nothing is known of it, nor of cgroups
	Systemd      bool // runs this machine
	CPUs         int
	Memory       uint64 // bytes
	Swap         bool
	OOMScores    bool   // this program may lower them
	Kernel       string // release
	KernelTooOld bool
	SELinux      bool     // enforcing
	Lacks        []string // programs that the kubelet can't do without
}

const mib = 1 << 20

func systemEntries() []Entry {
	return []Entry{
		{
			ID: "no-systemd", Title: "systemd does not run this machine",
			Means:  "bootstrap gives the kubelet and containerd to systemd, which keeps them running. In a container without systemd, or with another init system, nobody would start them.",
			Remedy: "use a machine, or a container, that systemd boots",
			Check: func(m *Machine) []Finding {
				return findingIf(m.System.Read && !m.System.Systemd, Finding{Level: Error, What: "systemd does not run this machine, and it has to start the kubelet"})
			},
		},
		{
			ID: "few-cpus", Title: "fewer than 2 CPUs",
			Means:  "etcd, the API server and the controllers share the CPUs. With one, leases run out under load and components end and start again.",
			Remedy: "give the machine a second CPU",
			Check: func(m *Machine) []Finding {
				return findingIf(m.System.Read && !m.Settings.Standalone && m.System.CPUs < 2, Finding{Level: Warning, What: fmt.Sprintf("%d CPU: a control plane needs 2 to answer in time", m.System.CPUs)})
			},
		},
		{
			ID: "little-memory", Title: "less than 1700 MiB of memory",
			Means:  "The control plane takes about 800 MiB when it is idle. With too little, the kernel kills the largest process, which is the API server.",
			Remedy: "give the machine 2 GiB of memory",
			Check: func(m *Machine) []Finding {
				return findingIf(m.System.Read && !m.Settings.Standalone && m.System.Memory < 1700*mib, Finding{Level: Warning, What: fmt.Sprintf("%d MiB of memory: a control plane needs 1700", m.System.Memory/mib)})
			},
		},
		{
			ID: "old-kernel", Title: "a kernel older than 5.4",
			Means:  "Kubernetes is tested with kernels from 5.4 on. Older ones lack parts of cgroups, nftables and conntrack that it uses.",
			Remedy: "update the kernel to 5.4 or later",
			Check: func(m *Machine) []Finding {
				return findingIf(m.System.KernelTooOld, Finding{Level: Warning, What: fmt.Sprintf("the kernel is %s: Kubernetes is tested from 5.4 on", m.System.Kernel)})
			},
		},
		{
			ID: "swap-on", Title: "swap is on",
			Means:  "The kubelet reckons with memory alone. With swap, a pod over its limit makes the whole machine slow where it would be ended otherwise. bootstrap tells the kubelet to accept it; pods do not use it.",
			Remedy: "if nothing else needs it: swapoff -a, and take it out of /etc/fstab",
			Check: func(m *Machine) []Finding {
				return findingIf(m.System.Swap, Finding{Level: Warning, What: "swap is on: the kubelet is told to accept it (failSwapOn: false); pods do not use it"})
			},
		},
		{
			ID: "no-oom-scores", Title: "OOM scores can't be lowered",
			Means:  "Without CAP_SYS_RESOURCE, as in a container, nobody can tell the kernel to spare the control plane when memory runs out. containerd and the kubelet are told so, and work.",
			Remedy: "nothing, if this is a container; else run bootstrap as root with all capabilities",
			Check: func(m *Machine) []Finding {
				return findingIf(m.System.Read && !m.System.OOMScores, Finding{Level: Warning, What: "no CAP_SYS_RESOURCE: OOM scores cannot be lowered here; containerd and kubelet are told so"})
			},
		},
		{
			ID: "selinux-enforcing", Title: "SELinux is enforcing",
			Means:  "Files that bootstrap writes get the label of their folder's policy, which knows nothing of Kubernetes. If the policy denies a daemon something, the daemon says only \"permission denied\".",
			Remedy: "if a daemon is denied something, see: ausearch -m avc -ts recent; permissive mode (setenforce 0) tells whether that is it",
			Check: func(m *Machine) []Finding {
				return findingIf(m.System.SELinux, Finding{Level: Warning, What: "SELinux is enforcing: its policy may deny containers what they need"})
			},
		},
		{
			ID: "program-missing", Title: "a program that the kubelet needs is missing",
			Means:  "The kubelet mounts the volumes of pods with the programs mount and umount. Without them no pod that has a service account starts.",
			Remedy: "install the package that has them: mount or util-linux",
			Check: func(m *Machine) []Finding {
				var found []Finding
				for _, name := range m.System.Lacks {
					found = append(found, Finding{Level: Error, What: fmt.Sprintf("the kubelet needs the program %s, and it is not on this machine", name)})
				}
				return found
			},
		},
	}
}
