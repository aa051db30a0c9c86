package host

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Inotify is what this user may still have of it.
type Inotify struct {
	MaxInstances, MaxWatches int  // zero if unknown
	Left                     int  // instances that could be had just now, up to those that were asked for
	WatchRefused             bool // an instance was to be had, and no watch
}

// Inotify tries to have so many instances, and a watch, and gives them back.
func (h *Host) Inotify(ask int) Inotify {
	i := Inotify{MaxInstances: h.kernelNumber("fs/inotify/max_user_instances"), MaxWatches: h.kernelNumber("fs/inotify/max_user_watches")}
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
func (h *Host) OpenFiles() (open, limit uint64) {
	f := strings.Fields(h.kernelText("fs/file-nr"))
	if len(f) != 3 {
		return 0, 0
	}
	open, _ = strconv.ParseUint(f[0], 10, 64) // what is no number is unknown
	limit, _ = strconv.ParseUint(f[2], 10, 64)
	return open, limit
}

// kernelText is a setting below /proc/sys, empty if it can't be read.
func (h *Host) kernelText(name string) string {
	data, err := os.ReadFile(h.Path("/proc/sys/" + name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

func (h *Host) kernelNumber(name string) int {
	n, err := strconv.Atoi(h.kernelText(name))
	if err != nil {
		return 0
	}
	return n
}

// Setting is a kernel setting that is a number; zero where a directory that stands for
// a machine has none.
func (h *Host) Setting(sysctl string) (int, error) {
	text, err := h.SysctlValue(sysctl)
	if err != nil || text == "" {
		return 0, err
	}
	return strconv.Atoi(text)
}

// SettingFixed tells that a kernel setting is off (0) and that not even root can set it.
func (h *Host) SettingFixed(sysctl string) bool {
	name := strings.ReplaceAll(sysctl, ".", "/")
	r := factReader{root: h.root}
	return h.kernelText(name) == "0" && r.readOnly("/proc/sys/"+name)
}

// StrictLinks are those of links that drop what they would not answer by (rp_filter 1).
func (h *Host) StrictLinks(links []string) []string {
	var strict []string
	for _, link := range links {
		all, own := h.kernelNumber("net/ipv4/conf/all/rp_filter"), h.kernelNumber("net/ipv4/conf/"+link+"/rp_filter")
		if max(all, own) == 1 { // the higher of both holds
			strict = append(strict, link)
		}
	}
	return strict
}

// sysctlDirs are where files of kernel settings lie: of two with one name, the first counts.
var sysctlDirs = []string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"}

// SetLater finds files that set a sysctl at boot, and come after the file of that name,
// with the value that the last line of each gives.
func (h *Host) SetLater(file, sysctl string) map[string]string {
	found, seen := map[string]string{}, map[string]bool{}
	for _, dir := range sysctlDirs {
		names, _ := filepath.Glob(h.Path(dir) + "/*.conf") // no such folder: no files
		for _, path := range names {
			name := filepath.Base(path)
			if name <= filepath.Base(file) || seen[name] {
				continue
			}
			seen[name] = true
			if value := sysctlIn(path, sysctl); value != "" {
				found[dir+"/"+name] = value
			}
		}
	}
	return found
}

// sysctlIn is the value that a file gives to a setting, empty without.
func sysctlIn(path, sysctl string) string {
	data, _ := os.ReadFile(path) // one that can't be read does not count at boot either
	last := ""
	for line := range strings.Lines(string(data)) {
		name, value, found := strings.Cut(strings.TrimLeft(strings.TrimSpace(line), "-"), "=")
		if found && strings.ReplaceAll(strings.TrimSpace(name), "/", ".") == sysctl {
			last = strings.TrimSpace(value)
		}
	}
	return last
}

// CgroupControllers are those that processes can be limited by; nil if it can't be told.
func (h *Host) CgroupControllers() []string {
	if data, err := os.ReadFile(h.Path("/sys/fs/cgroup/cgroup.controllers")); err == nil {
		return strings.Fields(string(data))
	}
	list, err := os.Open(h.Path("/proc/self/mountinfo"))
	if err != nil {
		return nil
	}
	defer list.Close()
	mounts, err := mountinfo.GetMountsFromReader(list, nil)
	if err != nil {
		return nil
	}
	var all []string
	for _, m := range mounts {
		if m.FSType == "cgroup" {
			all = append(all, strings.Split(m.VFSOptions, ",")...)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

// Enforcing tells whether SELinux is.
func (h *Host) Enforcing() bool {
	data, err := os.ReadFile(h.Path("/sys/fs/selinux/enforce"))
	return err == nil && strings.TrimSpace(string(data)) == "1"
}
