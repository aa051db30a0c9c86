package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// fact is something about the machine that is no file.
type fact struct {
	name string
	read func() ([]string, error)
}

var facts = []fact{
	{"mounts", mounts},
	{"units", units},
	{"unit files", sorted("systemctl", "list-unit-files", "--no-legend", "--no-pager")},
	{"failed units", sorted("systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager")},
	{"units to reload", unitsToReload},
	{"links", links},
	{"addresses", sorted("ip", "-o", "address")},
	{"routes", routes},
	{"rules", rules},
	{"queues", sorted("tc", "qdisc", "show")},
	{"nftables", inOrder("nft", "-s", "list", "ruleset")},
	{"iptables", inOrder("iptables-nft-save")},
	{"ip6tables", inOrder("ip6tables-nft-save")},
	{"legacy iptables", inOrder("iptables-legacy-save")},
	{"legacy ip6tables", inOrder("ip6tables-legacy-save")},
	{"sysctls", sysctls},
	{"modules", modules},
	{"users", sorted("getent", "passwd")},
	{"groups", sorted("getent", "group")},
	{"cgroups", cgroups},
	{"namespaces", namespaces},
	{"processes", processes},
	{"listening", sorted("ss", "-H", "-l", "-t", "-u", "-w", "-n")},
	{"sockets", sockets},
	{"swap", lines("/proc/swaps")},
}

// run gives the lines that a command prints.
func run(name string, args ...string) ([]string, error) {
	out, err := exec.Command(name, args...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, fmt.Errorf("%s: %w: %s", name, err, exit.Stderr)
	}
	if err != nil {
		return nil, err
	}
	return split(string(out)), nil
}

func split(text string) []string {
	text = strings.TrimSpace(text)
	if text == "" {
		return []string{}
	}
	list := strings.Split(text, "\n")
	for i, line := range list {
		list[i] = strings.Join(strings.Fields(line), " ")
	}
	return list
}

func sorted(name string, args ...string) func() ([]string, error) {
	return func() ([]string, error) {
		list, err := run(name, args...)
		slices.Sort(list)
		return list, err
	}
}

var countersOrDate = regexp.MustCompile(`\[\d+:\d+\]|^# (Generated|Completed) .*|^# Warning: .*`)

// inOrder keeps the order, which matters in rules, and drops counters and dates. A
// plain machine has no iptables; then only the kernel's nftables can hold rules.
func inOrder(name string, args ...string) func() ([]string, error) {
	return func() ([]string, error) {
		list, err := run(name, args...)
		if name != "nft" && errors.Is(err, exec.ErrNotFound) {
			return []string{"no " + name}, nil
		}
		for i, line := range list {
			list[i] = strings.TrimSpace(countersOrDate.ReplaceAllString(line, ""))
		}
		return slices.DeleteFunc(list, func(line string) bool { return line == "" }), err
	}
}

func lines(file string) func() ([]string, error) {
	return func() ([]string, error) {
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return []string{}, nil
		}
		return split(string(data)), err
	}
}

// mountNumbers differ from boot to boot: sizes are of the memory that was free.
var mountNumbers = regexp.MustCompile(`\b(fd|pipe_ino)=\d+,?|^((?:dev)?tmpfs \S+ rw)(?:,size=\d+k)?(?:,nr_inodes=\d+)?`)

// mounts leaves out numbers and propagation, which tell how, not what.
func mounts() ([]string, error) {
	all, err := lines("/proc/self/mountinfo")()
	if err != nil {
		return nil, err
	}
	list := []string{}
	for _, line := range all {
		before, after, _ := strings.Cut(line, " - ")
		f := strings.Fields(before) // ID, parent, device, root, mount point, options, propagation...
		if len(f) < 6 {
			return nil, fmt.Errorf("mountinfo: %q", line)
		}
		if !isLeft(unwatchedMounts, f[4]) {
			list = append(list, strings.Join([]string{f[4], mountNumbers.ReplaceAllString(after, "$2"), f[5], f[3]}, " "))
		}
	}
	slices.Sort(list)
	return list, nil
}

// units leaves out what systemd has, some time later, of the mounts that are a fact of their own.
func units() ([]string, error) {
	list, err := sorted("systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager", "--full")()
	return slices.DeleteFunc(list, func(line string) bool {
		return isLeft(unwatchedUnits, line) || strings.Contains(line, ".mount loaded active mounted ")
	}), err
}

func unitsToReload() ([]string, error) {
	list, err := run("systemctl", "show", "*", "--property=Id,NeedDaemonReload")
	stale := []string{}
	for i, line := range list {
		if line == "NeedDaemonReload=yes" {
			stale = append(stale, list[i-1])
		}
	}
	slices.Sort(stale)
	return stale, err
}

var linkNumber = regexp.MustCompile(`^\d+: |@if\d+| qlen \d+`)

func links() ([]string, error) {
	list, err := run("ip", "-o", "link")
	for i, line := range list {
		list[i] = linkNumber.ReplaceAllString(line, "")
	}
	slices.Sort(list)
	return list, err
}

func routes() ([]string, error) { return both("route", "show", "table", "all") }

func rules() ([]string, error) { return both("rule", "show") }

// both asks for IPv4 and IPv6.
func both(args ...string) ([]string, error) {
	v4, err := run("ip", append([]string{"-4"}, args...)...)
	if err != nil {
		return nil, err
	}
	v6, err := run("ip", append([]string{"-6"}, args...)...)
	list := slices.Concat(v4, v6)
	slices.Sort(list)
	return list, err
}

func sysctls() ([]string, error) {
	const root = "/proc/sys"
	list := []string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, root+"/")
		if err != nil || isLeft(unwatchedSysctls, name) || entry.IsDir() {
			return nil // a link or namespace that goes while we look
		}
		data, err := os.ReadFile(path)
		if err == nil {
			list = append(list, name+" = "+strings.Join(strings.Fields(string(data)), " "))
		}
		return nil // not readable: nothing can be said about it
	})
	return list, err
}

func modules() ([]string, error) {
	list, err := lines("/proc/modules")()
	for i, line := range list {
		list[i], _, _ = strings.Cut(line, " ")
	}
	slices.Sort(list)
	return list, err
}

func cgroups() ([]string, error) {
	list := []string{}
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			list = append(list, path)
		}
		return nil
	})
	return list, err
}

// namespaces counts the network namespaces that are in use or have a name.
func namespaces() ([]string, error) {
	seen := map[string]bool{}
	used, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		return nil, err
	}
	for _, link := range used {
		if ns, err := os.Readlink(link); err == nil {
			seen[ns] = true
		}
	}
	list, err := run("ip", "netns", "list")
	return append(list, fmt.Sprintf("%d in use", len(seen))), err
}

// udevWorker comes and goes as devices do.
const udevWorker = "(udev-worker)\x00"

// processes are without kernel threads, and without this one.
func processes() ([]string, error) {
	entries, err := os.ReadDir("/proc")
	list := []string{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		command, err := os.ReadFile("/proc/" + entry.Name() + "/cmdline")
		if err == nil && len(command) > 0 && string(command) != udevWorker {
			list = append(list, strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " ")))
		}
	}
	slices.Sort(list)
	return list, err
}

// sockets are those of the Unix kind that listen and have a name.
func sockets() ([]string, error) {
	list, err := run("ss", "-H", "-l", "-x")
	names := []string{}
	for _, line := range list {
		if f := strings.Fields(line); len(f) > 4 && f[4] != "*" {
			names = append(names, f[0]+" "+f[4])
		}
	}
	slices.Sort(names)
	return names, err
}
