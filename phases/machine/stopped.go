package machine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Stopped are the processes that a signal has stopped, as SIGSTOP does: by their ids, the
// cgroups that they are in, as the kernel lists them. Those that a debugger holds are none.
func (m Machine) Stopped() map[int]string {
	all := map[int]string{}
	files, _ := filepath.Glob(m.Path("/proc") + "/[0-9]*/stat")
	for _, file := range files {
		stat, _ := os.ReadFile(file) // a process may go meanwhile
		if !isStopped(string(stat)) {
			continue
		}
		dir := filepath.Dir(file)
		cgroups, _ := os.ReadFile(dir + "/cgroup")
		pid, _ := strconv.Atoi(filepath.Base(dir)) // the pattern says so
		all[pid] = string(cgroups)
	}
	return all
}

// isStopped reads lines like "256 (kube-apiserver) T 149 ...": a name may hold what follows it.
func isStopped(stat string) bool {
	return strings.HasPrefix(stat[strings.LastIndex(stat, ")")+1:], " T ")
}
