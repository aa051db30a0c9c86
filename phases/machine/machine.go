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
func ReadProcess(pid string) Process { return At("/").process(pid) }

func (m Machine) process(pid string) Process {
	n, _ := strconv.Atoi(pid) // from the kernel
	name, _ := os.ReadFile(m.Path("/proc/" + pid + "/comm"))
	return Process{PID: n, Command: strings.TrimSpace(string(name))}
}
