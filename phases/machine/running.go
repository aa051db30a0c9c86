package machine

import (
	"os"
	"path/filepath"
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
	for _, pid := range m.pids() {
		args := strings.Split(strings.TrimRight(m.read(procDir(pid)+"/cmdline"), "\x00"), "\x00")
		if filepath.Base(args[0]) != program || !m.isRootOf(pid) {
			continue
		}
		dir, _ := os.Readlink(m.Path(procDir(pid) + "/cwd"))
		all = append(all, Running{PID: pid, Args: args, Dir: dir})
	}
	return all
}

// isRootOf goes by the root's file, not by namespaces: a service with PrivateTmp= has one
// of its own.
func (m Machine) isRootOf(pid int) bool {
	theirs, err := os.Stat(m.Path(procDir(pid) + "/root"))
	if err != nil {
		return true // it can't be told
	}
	ours, err := os.Stat(m.Path("/"))
	return err != nil || os.SameFile(ours, theirs)
}

// Stopped are the processes that a signal has stopped, as SIGSTOP does: by their ids, the
// cgroups that they are in, as the kernel lists them. Those that a debugger holds are none.
func (m Machine) Stopped() map[int]string {
	all := map[int]string{}
	for _, pid := range m.pids() {
		if isStopped(m.read(procDir(pid) + "/stat")) {
			all[pid] = m.read(procDir(pid) + "/cgroup")
		}
	}
	return all
}

// isStopped reads lines like "256 (kube-apiserver) T 149 ...": a name may hold what follows it.
func isStopped(stat string) bool {
	return strings.HasPrefix(stat[strings.LastIndex(stat, ")")+1:], " T ")
}
