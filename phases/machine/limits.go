package machine

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Inotify is what this user may still have of it.
type Inotify struct {
	MaxInstances, MaxWatches int  // zero if unknown
	Left                     int  // instances that could be had just now, up to those that were asked for
	WatchRefused             bool // an instance was to be had, and no watch
}

// Inotify tries to have so many instances, and a watch, and gives them back.
func (m Machine) Inotify(ask int) Inotify {
	i := Inotify{MaxInstances: m.sysctlNumber("fs/inotify/max_user_instances"), MaxWatches: m.sysctlNumber("fs/inotify/max_user_watches")}
	for range ask {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
		if err != nil {
			return i
		}
		instance := os.NewFile(uintptr(fd), "inotify")
		defer instance.Close()
		if i.Left == 0 {
			_, err = unix.InotifyAddWatch(fd, "/", unix.IN_DELETE_SELF)
			i.WatchRefused = errors.Is(err, unix.ENOSPC)
		}
		i.Left++
	}
	return i
}

// OpenFiles is how many files are open on the machine, and how many can be.
func (m Machine) OpenFiles() (open, limit uint64) {
	f := strings.Fields(m.KernelSays("fs/file-nr"))
	if len(f) != 3 {
		return 0, 0
	}
	return number(f[0], 10), number(f[2], 10)
}

// CgroupControllers are those that processes can be limited by; nil if it can't be told.
func (m Machine) CgroupControllers() []string {
	if own := "/sys/fs/cgroup/cgroup.controllers"; m.Exists(own) {
		return strings.Fields(m.read(own))
	}
	var all []string
	for _, row := range m.table("/proc/cgroups", 4) { // name, hierarchy, count, whether it is enabled
		if row[3] == "1" {
			all = append(all, row[0])
		}
	}
	return all
}

// Enforcing tells whether SELinux is.
func (m Machine) Enforcing() bool { return m.value("/sys/fs/selinux/enforce") == "1" }
