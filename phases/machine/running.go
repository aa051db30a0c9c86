package machine

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Running is a process of this machine.
type Running struct {
	PID  int
	Args []string // the program first
	Dir  string   // in which it was started, empty if it can't be told
}

// Running finds the processes of a program, the oldest id first. Those in containers,
// which see another root, are not of this machine.
func (m Machine) Running(program string) []Running {
	var all []Running
	files, _ := filepath.Glob(m.Path("/proc") + "/[0-9]*/cmdline")
	for _, file := range files {
		data, err := os.ReadFile(file)
		args := strings.Split(strings.TrimRight(string(data), "\x00"), "\x00")
		if err != nil || filepath.Base(args[0]) != program || !m.isRootOf(filepath.Dir(file)) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file))) // the pattern says so
		dir, _ := os.Readlink(filepath.Dir(file) + "/cwd")
		all = append(all, Running{PID: pid, Args: args, Dir: dir})
	}
	slices.SortFunc(all, func(a, b Running) int { return a.PID - b.PID })
	return all
}

// isRootOf goes by the root's file, not by namespaces: a service with PrivateTmp= has one
// of its own.
func (m Machine) isRootOf(process string) bool {
	theirs, err := os.Stat(process + "/root")
	if err != nil {
		return true // it can't be told
	}
	ours, err := os.Stat(m.Path("/"))
	return err != nil || os.SameFile(ours, theirs)
}
