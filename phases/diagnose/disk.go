package diagnose

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/lazyregexp"
	"bootstrap/phases/machine"
)

// Disk is a file system that a folder of ours lies on, or will.
type Disk struct {
	machine.Disk
	Path     string // the folder
	Use      string // what for: "etcd's data"
	Programs bool   // programs are run from the folder
	Daemon   string // etcd or kubelet if only that one writes there, else empty
	Needs    uint64 // bytes that init has yet to write there

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

func diskRules() map[string]Rule {
	return map[string]Rule{
		"disk-read-only":   {Check: diskReadOnly(""), Cause: causeToo(diskReadOnly(""))},
		"disk-full":        {Check: diskFull(""), Cause: func(e *Evidence) Findings { return append(diskFullNow(e), saidFull(e)...) }},
		"disk-nearly-full": {Check: perDevice(nearlyFull)},
		"inodes-used-up":   {Check: perDevice(noInodes), Cause: causeToo(perDevice(noInodes))},
		"disk-noexec": {Check: perDisk(func(d Disk) Findings {
			return errorIf(d.NoExec && d.Programs, "%s, for %s, is mounted with noexec: no program runs from there", d.Path, d.Use)
		})},
		"etcd-on-tmpfs": {Check: perDisk(func(d Disk) Findings {
			unfit := d.Daemon == "etcd" && (d.Type == "tmpfs" || strings.HasPrefix(d.Type, "nfs"))
			return warnIf(unfit, "%s, for %s, lies on %s", d.Path, d.Use, d.Type)
		})},
		"images-on-overlay": {Check: perDisk(func(d Disk) Findings {
			return warnIf(d.Type == "overlay" && d.Path == imagesDir, "%s lies on an overlay: containers may not start there", d.Path)
		})},
	}
}

const imagesDir = "/var/lib/containerd"

func perDisk(check func(Disk) Findings) func(*Machine) Findings {
	return func(m *Machine) Findings { return forEach(m.Disks, check) }
}

// perDevice looks at each file system once, with all that init needs there.
func perDevice(check func(Disk) Findings) func(*Machine) Findings {
	return func(m *Machine) Findings { return forEach(devices(m.Disks), check) }
}

// devices are the file systems. One is a daemon's only if nothing else of ours lies on it.
func devices(folders []Disk) []Disk {
	var all []Disk
	for _, d := range folders {
		i := slices.IndexFunc(all, func(known Disk) bool { return known.Device == d.Device })
		switch {
		case d.Size == 0:
		case i < 0:
			all = append(all, d)
		default:
			all[i].Needs += d.Needs
			if all[i].Daemon != d.Daemon {
				all[i].Daemon = ""
			}
		}
	}
	return all
}

// diskReadOnly looks at the folders of a daemon, which has entries of its own for what
// it says when it can't write, or at all others.
func diskReadOnly(daemon string) func(*Machine) Findings {
	return perDisk(func(d Disk) Findings {
		return errorIf(d.ReadOnly && d.Daemon == daemon, "%s, for %s, lies on a file system that is mounted read-only", d.Path, d.Use)
	})
}

func diskFull(daemon string) func(*Machine) Findings {
	return perDevice(func(d Disk) Findings {
		needs := max(d.Needs, minFree)
		full := !d.ReadOnly && d.Daemon == daemon && d.Free < needs
		return errorIf(full, "%s, for %s, has %d MiB free: init needs %d MiB there", d.Path, d.Use, d.Free/mib, needs/mib)
	})
}

// diskFullNow is for a machine on which init has written what it needs.
var diskFullNow = causeToo(perDevice(func(d Disk) Findings {
	return errorIf(!d.ReadOnly && d.Daemon == "" && d.Free < minFree, "%s, for %s, has %d MiB free", d.Path, d.Use, d.Free/mib)
}))

// noRoom is about folders that nobody looks at, such as /tmp; those of etcd and the kubelet have entries of their
// own. The kernel says the same of inotify watches and of cgroups, which are no disks.
var (
	noRoom  = lazyregexp.New(`(/(?:tmp|var/tmp|var/log|var/lib/containerd|run/containerd)/[^\s:"\\]+)[\\"]*: no space left on device`)
	watches = lazyregexp.New(`(?i)watch`)
)

// saidFull is what a daemon says. It may be mended since.
func saidFull(e *Evidence) Findings {
	return forEach([]string{kubeletUnit, containerdUnit}, func(unit string) Findings {
		line, match := e.recent(unit, sayAgain, noRoom)
		if match == nil || watches().MatchString(line.Text) {
			return nil
		}
		return finding(Warning, "%s can't write %s: its file system is full", strings.TrimSuffix(unit, ".service"), match[1]).
			see(fmt.Sprintf("df -h %[1]s; df -i %[1]s", path.Dir(match[1]))).proof(line.Text)
	})
}

func nearlyFull(d Disk) Findings {
	if d.Free < max(d.Needs, minFree) {
		return nil // that is disk-full
	}
	left := 100 * (d.Available - min(d.Needs, d.Available)) / d.Size
	if left < evictionSpace {
		return finding(Warning, "%s, for %s, will have %d %% of its space free: below %d %% the kubelet sends pods away", d.Path, d.Use, left, evictionSpace)
	}
	left = 100 * d.FreeInodes / max(d.Inodes, 1)
	few := d.Inodes > 0 && left < evictionInodes && d.FreeInodes >= minInodes
	return warnIf(few, "%s, for %s, has %d %% of its inodes free: below %d %% the kubelet sends pods away", d.Path, d.Use, left, evictionInodes)
}

const minInodes = 100

func (d Disk) isReadOnly() bool { return d.ReadOnly }

func (d Disk) isFull() bool {
	return d.Size > 0 && (d.Free < minFree || d.Inodes > 0 && d.FreeInodes < minInodes)
}

func noInodes(d Disk) Findings {
	usedUp := !d.ReadOnly && d.Inodes > 0 && d.FreeInodes < minInodes
	return errorIf(usedUp, "%s, for %s, has %d inodes free: no more files can be made there", d.Path, d.Use, d.FreeInodes)
}

func slowDisk(d Disk) Findings {
	return warnIf(d.SyncP99 > slowSync, "%s, for %s: of %d writes such as etcd's, one in 100 took %s or longer until it was on the disk; etcd wants %s",
		d.Path, d.Use, d.Syncs, d.SyncP99.Round(time.Millisecond), etcdSync)
}
