package diagnose

import (
	"fmt"
	"strings"
	"time"
)

// Disk is a file system that a folder of ours lies on, or will.
type Disk struct {
	Path     string // the folder
	Use      string // what for: "etcd's data"
	Device   uint64 // the same for folders of one file system
	Type     string // ext4, xfs, overlay, tmpfs, nfs, ...
	ReadOnly bool
	NoExec   bool
	Programs bool   // programs are run from the folder
	Daemon   string // etcd or kubelet if only that one writes there, else empty

	Size, Free         uint64 // bytes; what is free for root
	Available          uint64 // bytes that are free for everybody, by which the kubelet goes
	Inodes, FreeInodes uint64 // zero where there is no such number
	Needs              uint64 // bytes that init has yet to write there

	SyncP99 time.Duration // of etcd's kind of writes; zero if it was not measured
	Syncs   int           // how many were measured
}

// Latencies of a write that etcd waits for.
const (
	etcdSync = 10 * time.Millisecond  // what etcd's authors ask for
	slowSync = 100 * time.Millisecond // from which on etcd itself complains
)

// Parts of a disk below which the kubelet sends pods away, in percent.
const (
	evictionSpace  = 10
	evictionInodes = 5
)

const minFree = 16 * mib // below it etcd can't write its next log

func diskEntries() []Entry {
	return []Entry{
		{
			ID: "disk-read-only", Title: "a folder lies on a file system that can't be written",
			Means:  "Its file system is mounted read-only: so it was set up, or the kernel has done it after an error of the disk.",
			Remedy: "see why: dmesg | tail; then mount it writable, or put the folder elsewhere",
			Check:  sharedReadOnly, Cause: causeToo(sharedReadOnly),
		},
		{
			ID: "disk-full", Title: "too little space on a disk",
			Means:  "init writes images, programs and etcd's data. etcd on a full disk takes no more writes, and the cluster stands still.",
			Remedy: "make room: see what is large: du -xh -d 3 / | sort -h | tail",
			Check:  sharedFull, Cause: sharedFullNow,
		},
		{
			ID: "disk-nearly-full", Title: "the kubelet will send pods away for lack of space",
			Means:  "When less than 10 % of a disk is free, or less than 5 % of its inodes, the kubelet takes the Node for full: it ends pods, removes images and takes no new pods.",
			Remedy: "make room, or set evictionHard in a KubeletConfiguration of the config file",
			Check:  diskNearlyFull,
		},
		{
			ID: "inodes-used-up", Title: "no inodes are left on a file system",
			Means:  "A file system has room for so many files. When they are used up, no file can be made, however much space is free.",
			Remedy: "remove many small files; see where they are: du --inodes -x -d 3 / | sort -n | tail",
			Check:  inodesUsedUp, Cause: causeToo(inodesUsedUp),
		},
		{
			ID: "disk-noexec", Title: "programs can't be run where they are installed",
			Means:  "The folder lies on a file system that is mounted with noexec. Hardened machines do that.",
			Remedy: "mount it without noexec: mount -o remount,exec MOUNTPOINT, and in /etc/fstab",
			Check: func(m *Machine) []Finding {
				return perDisk(m, func(d Disk) []Finding {
					return findingIf(d.NoExec && d.Programs, Finding{Level: Error, What: fmt.Sprintf("%s, for %s, is mounted with noexec: no program runs from there", d.Path, d.Use)})
				})
			},
		},
		{
			ID: "etcd-on-tmpfs", Title: "etcd's data lies in memory or on a network",
			Means:  "In memory (tmpfs) the cluster is gone after the next boot. Over a network (NFS) locks and syncs do not hold what etcd relies on.",
			Remedy: "put etcd's data on a local disk: etcd.local.dataDir in the config file",
			Check: func(m *Machine) []Finding {
				return perDisk(m, func(d Disk) []Finding {
					unfit := d.Path == m.Settings.EtcdDataDir && (d.Type == "tmpfs" || strings.HasPrefix(d.Type, "nfs"))
					return findingIf(unfit, Finding{Level: Warning, What: fmt.Sprintf("%s, for %s, lies on %s", d.Path, d.Use, d.Type)})
				})
			},
		},
		{
			ID: "images-on-overlay", Title: "containerd's folder lies on an overlay",
			Means:  "containerd mounts each image as an overlay, and most kernels do not take an overlay as a layer of another. So it is in a container whose /var/lib/containerd is no volume.",
			Remedy: "make /var/lib/containerd a volume, or mount a disk there",
			Check: func(m *Machine) []Finding {
				return perDisk(m, func(d Disk) []Finding {
					return findingIf(d.Type == "overlay" && d.Path == imagesDir, Finding{Level: Warning, What: fmt.Sprintf("%s lies on an overlay: containers may not start there", d.Path)})
				})
			},
		},
	}
}

const imagesDir = "/var/lib/containerd"

func perDisk(m *Machine, check func(Disk) []Finding) []Finding {
	var found []Finding
	for _, d := range m.Disks {
		found = append(found, check(d)...)
	}
	return found
}

// perDevice looks at each file system once, with all that init needs there. It is a
// daemon's only if nothing else of ours lies on it.
func perDevice(m *Machine, check func(Disk) []Finding) []Finding {
	var found []Finding
	seen := map[uint64]bool{}
	for _, d := range m.Disks {
		if seen[d.Device] || d.Size == 0 {
			continue
		}
		seen[d.Device], d.Needs = true, 0
		for _, other := range m.Disks {
			if other.Device != d.Device {
				continue
			}
			d.Needs += other.Needs
			if other.Daemon != d.Daemon {
				d.Daemon = ""
			}
		}
		found = append(found, check(d)...)
	}
	return found
}

func sharedReadOnly(m *Machine) []Finding { return diskReadOnly(m, "") }

// diskReadOnly looks at the folders of a daemon, which has entries of its own for what
// it says when it can't write, or at all others.
func diskReadOnly(m *Machine, daemon string) []Finding {
	return perDisk(m, func(d Disk) []Finding {
		return findingIf(d.ReadOnly && d.Daemon == daemon, Finding{Level: Error, What: fmt.Sprintf("%s, for %s, lies on a file system that is mounted read-only", d.Path, d.Use)})
	})
}

func sharedFull(m *Machine) []Finding { return diskFull(m, "") }

func diskFull(m *Machine, daemon string) []Finding {
	return perDevice(m, func(d Disk) []Finding {
		return findingIf(!d.ReadOnly && d.Daemon == daemon && d.Free < max(d.Needs, minFree), Finding{
			Level: Error, What: fmt.Sprintf("%s, for %s, has %d MiB free: init needs %d MiB there", d.Path, d.Use, d.Free/mib, max(d.Needs, minFree)/mib),
		})
	})
}

// sharedFullNow is for a machine on which init has written what it needs.
func sharedFullNow(e *Evidence) []Finding {
	return perDevice(&e.Machine, func(d Disk) []Finding {
		return findingIf(!d.ReadOnly && d.Daemon == "" && d.Free < minFree, Finding{Level: Error, What: fmt.Sprintf("%s, for %s, has %d MiB free", d.Path, d.Use, d.Free/mib)})
	})
}

func diskNearlyFull(m *Machine) []Finding {
	return perDevice(m, func(d Disk) []Finding {
		if d.Free < max(d.Needs, minFree) {
			return nil // that is disk-full
		}
		left := 100 * (d.Available - min(d.Needs, d.Available)) / d.Size
		if left < evictionSpace {
			return []Finding{{Level: Warning, What: fmt.Sprintf("%s, for %s, will have %d %% of its space free: below %d %% the kubelet sends pods away", d.Path, d.Use, left, evictionSpace)}}
		}
		few := d.Inodes > 0 && 100*d.FreeInodes/d.Inodes < evictionInodes && d.FreeInodes >= minInodes
		return findingIf(few, Finding{Level: Warning, What: fmt.Sprintf("%s, for %s, has %d %% of its inodes free: below %d %% the kubelet sends pods away", d.Path, d.Use, 100*d.FreeInodes/max(d.Inodes, 1), evictionInodes)})
	})
}

const minInodes = 100

func (d Disk) isFull() bool {
	return d.Size > 0 && (d.Free < minFree || d.Inodes > 0 && d.FreeInodes < minInodes)
}

func inodesUsedUp(m *Machine) []Finding {
	return perDevice(m, func(d Disk) []Finding {
		return findingIf(d.Inodes > 0 && d.FreeInodes < minInodes && !d.ReadOnly, Finding{
			Level: Error, What: fmt.Sprintf("%s, for %s, has %d inodes free: no more files can be made there", d.Path, d.Use, d.FreeInodes),
		})
	})
}

func slowDisk(m *Machine) []Finding {
	return perDisk(m, func(d Disk) []Finding {
		return findingIf(d.SyncP99 > slowSync, Finding{
			Level: Warning,
			What: fmt.Sprintf("%s, for %s: of %d writes such as etcd's, one in 100 took %s or longer until it was on the disk; etcd wants %s",
				d.Path, d.Use, d.Syncs, d.SyncP99.Round(time.Millisecond), etcdSync),
		})
	})
}
