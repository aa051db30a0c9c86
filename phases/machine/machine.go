// Package machine answers questions about this machine: its processor and memory,
// addresses and routes, who listens, which processes run, what the kernel and systemd
// are set to, what a disk is like.
//
// It must not change anything, and it knows nothing of the ledger: effects are made by
// package host. It decides nothing either: whether an answer is good enough for a
// cluster is for those who ask.
package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Machine is the machine that is asked, or a directory that stands for one.
type Machine struct{ root string }

// At is the machine whose files lie below root, which is "/" or a directory.
func At(root string) Machine { return Machine{filepath.Clean(root)} }

// Path is where the absolute path p of the machine lies, seen from this process.
func (m Machine) Path(p string) string {
	return filepath.Join(m.root, filepath.Clean("/"+p))
}

// Real tells whether this is the running machine, with its kernel, rather than a
// directory that stands for one.
func (m Machine) Real() bool { return m.root == "/" }

// Process is a process as people know it.
type Process struct {
	PID     int
	Command string // the program's name; empty if it could not be read
}

func (p Process) String() string { return fmt.Sprintf("pid %d (%s)", p.PID, p.Command) }

// ReadProcess reads a process of this machine at once: it may be gone when its name is
// wanted.
func ReadProcess(pid string) Process {
	n, _ := strconv.Atoi(pid) // from the kernel
	return At("/").process(n)
}

func (m Machine) process(pid int) Process {
	return Process{PID: pid, Command: m.value(procDir(pid) + "/comm")}
}

// pids are those of all processes, the oldest first, mostly.
func (m Machine) pids() []int {
	entries, _ := os.ReadDir(m.Path("/proc")) // a directory that stands for a machine may have none
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// procDir is where the kernel shows a process.
func procDir(pid int) string { return "/proc/" + strconv.Itoa(pid) }

// read gives a small file, empty if it can't be read: what it tells is then not known.
func (m Machine) read(path string) string {
	data, _ := os.ReadFile(m.Path(path))
	return string(data)
}

// value is read for a file that holds one.
func (m Machine) value(path string) string { return strings.TrimSpace(m.read(path)) }

// table is the words of each line of a file that has so many of them, or more.
func (m Machine) table(path string, least int) [][]string {
	var rows [][]string
	for line := range strings.Lines(m.read(path)) {
		if words := strings.Fields(line); len(words) >= least {
			rows = append(rows, words)
		}
	}
	return rows
}

// Exists tells whether there is anything at a path.
func (m Machine) Exists(path string) bool {
	_, err := os.Stat(m.Path(path))
	return err == nil
}

// ProgramDirs are where programs of the machine lie: su leaves some of them out of $PATH.
var ProgramDirs = []string{"/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/bin", "/sbin", "/opt/bin"}

// Program is where a program lies, empty if there is none.
func (m Machine) Program(name string) string {
	for _, dir := range ProgramDirs {
		if path := dir + "/" + name; m.IsProgram(path) {
			return path
		}
	}
	return ""
}

// IsProgram tells whether a regular file is at a path.
func (m Machine) IsProgram(path string) bool {
	info, err := os.Stat(m.Path(path))
	return err == nil && info.Mode().IsRegular()
}
