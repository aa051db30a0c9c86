package diagnose

import (
	"fmt"
	"strings"
	"time"
)

const (
	// startsUp is how long etcd and the API server may take to answer after their start,
	// on a machine where nobody waits for a CPU.
	startsUp = time.Minute
	// silence is longer than a server that is only busy takes to answer.
	silence = 3 * time.Second
)

// processRules are about processes that are there and do nothing.
func processRules() map[string]Rule {
	return map[string]Rule{"process-stopped": {Cause: processStopped}}
}

// processStopped is no reason to give up: who stopped it may let it go on.
func processStopped(e *Evidence) []Finding {
	if pid := e.stopped("/" + kubeletUnit + "\n"); pid != 0 {
		return stoppedFinding("the kubelet", pid)
	}
	return ofFirstComponent(func(e *Evidence, name string) []Finding {
		c := e.container(name)
		if c == nil || !c.Running || e.stopped(c.ID) == 0 {
			return nil
		}
		return stoppedFinding(name, e.stopped(c.ID))
	})(e)
}

func stoppedFinding(name string, pid int) []Finding {
	return []Finding{{
		Level: Warning, What: fmt.Sprintf("%s does nothing: a signal has stopped its process %d", name, pid),
		Remedy: fmt.Sprintf("let it go on: kill -CONT %d", pid), See: fmt.Sprintf("grep State /proc/%d/status", pid),
	}}
}

// stopped is the lowest id of a stopped process in such a cgroup, 0 without one.
func (e *Evidence) stopped(cgroup string) int {
	lowest := 0
	for pid, cgroups := range e.Stopped {
		if strings.Contains(cgroups, cgroup) && (lowest == 0 || pid < lowest) {
			lowest = pid
		}
	}
	return lowest
}

// silent is about a server that has long been up; an API server may wait for etcd. It is
// never certain: the kubelet will end it, and start another.
func (e *Evidence) silent(name string) []Finding {
	c, s := e.container(name), e.server(name)
	switch {
	case c == nil, s.Unanswered < silence, !e.upFor(*c, startsUp):
		return nil
	case name == "kube-apiserver" && e.Etcd.Status != 200:
		return nil
	}
	what := fmt.Sprintf("%s runs and takes connections at %s, but does not answer", name, s.Address)
	return e.provedByLog(Warning, name, what, lastLines(texts(c.Log), 3)...)
}
