package diagnose

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/lazyregexp"
	"bootstrap/phases/runtime"
)

const (
	// startsUp is how long etcd and the API server may take to answer after their start,
	// on a machine where nobody waits for a CPU.
	startsUp = time.Minute
	// silence is longer than a server that is only busy takes to answer.
	silence = 3 * time.Second
)

// What programs of the control plane say when they can't be what their manifest wants.
var (
	badFlag = lazyregexp.New(`invalid argument "[^"]*" for "(?:-\w, )?(--[\w-]+)" flag.*|unknown (?:shorthand )?flag: (\S+)|` +
		`invalid value "[^"]*" for flag (-[\w-]+).*|flag provided but not defined: (-[\w-]+)`)
	commandFailed = lazyregexp.New(`"command failed" err="(.+)"\s*$|^Error: (.+)|^error: (.+)`)
	// passing failures are of what the program needs, which may come; or of its lease.
	passing = lazyregexp.New(`deadline exceeded|context canceled|connection refused|timed out|timeout|leaderelection lost|lost lease|etcdserver|EOF|` +
		`connection reset|no route|Unauthorized|address already in use|no space left|too many open files`)
	leaseLost = lazyregexp.New(`(?i)"leaderelection lost`)
	portTaken = lazyregexp.New(`listen \w+ (\S+): bind: address already in use`)
)

// componentRules are about the control plane's programs, and the containers of users' static pods.
func componentRules() map[string]Rule {
	return map[string]Rule{
		"process-stopped":            {Cause: processStopped},
		"component-bad-flag":         {Cause: ofFirstComponent((*Evidence).flagRefused)},
		"component-refuses-settings": {Cause: ofFirstComponent((*Evidence).settingsRefused)},
		"component-program-damaged":  {Cause: ofFirstComponent((*Evidence).programDamaged)},
		"firewall-drops-api":         {Cause: firewallDropsAPI},
		"component-hangs":            {Cause: ofFirstComponent((*Evidence).silent)},
		"component-crashes":          {Cause: componentCrashes},
		NoKnownCause:                 {}, // see Unexplained
	}
}

// processStopped is no reason to give up: who stopped it may let it go on.
func processStopped(e *Evidence) Findings {
	stopped := func(name, cgroup string) Findings {
		pid := e.stopped(cgroup)
		return warnIf(pid != 0, "%s does nothing: a signal has stopped its process %d", name, pid).
			remedy("let it go on: kill -CONT %d", pid).see(fmt.Sprintf("grep State /proc/%d/status", pid))
	}
	if found := stopped("the kubelet", "/"+kubeletUnit+"\n"); found != nil {
		return found
	}
	return ofFirstComponent(func(e *Evidence, name string) Findings {
		if c := e.container(name); c.Running {
			return stopped(name, c.ID)
		}
		return nil
	})(e)
}

// stopped is the lowest id of a stopped process in such a cgroup, 0 without one.
func (e *Evidence) stopped(cgroup string) int {
	for _, pid := range slices.Sorted(maps.Keys(e.Stopped)) {
		if strings.Contains(e.Stopped[pid], cgroup) {
			return pid
		}
	}
	return 0
}

func (e *Evidence) flagRefused(name string) Findings {
	line, match := e.logged(name, badFlag)
	if match == nil {
		return nil
	}
	return finding(e.certainty(name, logs(badFlag)), "%s refuses its flag %s: %s", name, cmp.Or(match[1:]...), match[0]).
		see(e.logCommand(name)).proof(line)
}

// portHeld is certain only if no other try of the same component holds the port: an old
// one may be on its way out.
func (e *Evidence) portHeld(name string) Findings {
	line, match := e.logged(name, portTaken)
	if match == nil || e.runs(name) {
		return nil
	}
	port := match[1][strings.LastIndex(match[1], ":")+1:]
	if !slices.Contains(e.Listening, port) {
		return nil // whoever held it is gone
	}
	return finding(Error, "%s can't listen on %s: another program does", name, match[1]).see(listeners(port)).proof(line)
}

// runs tells whether any try of a component is up, be it of a manifest of before.
func (e *Evidence) runs(component string) bool {
	up := func(c runtime.Container) bool { return c.Name == component && c.Running }
	return slices.ContainsFunc(e.Pods, func(p runtime.Sandbox) bool {
		return p.FullName() == e.Settings.podOf(component) && slices.ContainsFunc(p.Containers, up)
	})
}

func (e *Evidence) settingsRefused(name string) Findings {
	c := e.ended(name)
	if c == nil {
		return nil
	}
	reason := failure(texts(c.Log))
	if reason == "" || passing().MatchString(reason) {
		return nil
	}
	same := func(c runtime.Container) bool { return failure(texts(c.Log)) == reason }
	return finding(e.certainty(name, same), "%s refuses its settings: %s", name, reason).
		see(e.logCommand(name)).proof(lastLines(texts(c.Log), 3)...)
}

// programDamaged is of the control plane's programs: those of users end by these signals
// for reasons of their own, and their logs are not read.
func (e *Evidence) programDamaged(name string) Findings {
	c := e.ended(name)
	if c == nil || !damaged(*c) || e.Settings.Pod != "" {
		return nil
	}
	return finding(e.certainty(name, damaged), "the program of %s is damaged on the disk: it ends by %s and writes nothing", name, fatalSignals[c.ExitCode]).
		see(seePods)
}

// fatalSignals are the exit codes of programs that read a part of themselves that is not there.
var fatalSignals = map[int32]string{128 + 7: "SIGBUS", 128 + 11: "SIGSEGV"}

func damaged(c runtime.Container) bool { return fatalSignals[c.ExitCode] != "" && len(c.Log) == 0 }

// failure is what a program of Kubernetes ended with: one line, or several between
// `err=<` and `>`.
func failure(log []string) string {
	for i, line := range slices.Backward(log) {
		if strings.HasSuffix(strings.TrimSpace(line), `"command failed" err=<`) {
			block, _, _ := strings.Cut(strings.Join(log[i+1:], " "), " >")
			return strings.Join(strings.Fields(block), " ")
		}
		if m := commandFailed().FindStringSubmatch(line); m != nil {
			return cmp.Or(m[1:]...)
		}
	}
	return ""
}

// firewallDropsAPI: a port on which nobody listens answers with a reset, so silence on
// one's own address is a firewall's, unless the loopback link is down.
func firewallDropsAPI(e *Evidence) Findings {
	c := e.container("kube-apiserver")
	if !c.Running || e.API.Dial != TimedOut || e.stopped(c.ID) != 0 || e.Network.LoopbackDown {
		return nil
	}
	port := e.API.Address[strings.LastIndex(e.API.Address, ":")+1:]
	return finding(Error, "kube-apiserver runs, but connections to %s get no answer: a firewall drops them", e.API.Address).
		remedy("find the rule (nft list ruleset; iptables -S) and let TCP port %s pass", port).
		see("nft list ruleset | grep -n -e drop -e " + port)
}

// silent is about a server that has long been up; an API server may wait for etcd. It is
// never certain: the kubelet will end it, and start another.
func (e *Evidence) silent(name string) Findings {
	c, s := e.container(name), e.server(name)
	switch {
	case s.Unanswered < silence, !e.upFor(c, startsUp), e.isSlow(s.Unanswered, last(c.Log).At):
		return nil
	case name == "kube-apiserver" && e.Etcd.Status != 200:
		return nil
	}
	return finding(Warning, "%s runs and takes connections at %s, but does not answer", name, s.Address).
		see(e.logCommand(name)).proof(lastLines(texts(c.Log), 3)...)
}

// componentCrashes blames none that ended for want of one that does not work.
func componentCrashes(e *Evidence) Findings {
	for _, name := range e.Settings.Components {
		if found := e.crashes(name); found != nil || !e.works(name) {
			return found
		}
	}
	return nil
}

// works is true of what nobody has asked, and of containers of the user's, which may have
// ended for good.
func (e *Evidence) works(name string) bool {
	if e.Settings.Pod != "" {
		return true
	}
	s, c := e.server(name), e.container(name)
	return (c.Name == "" || c.Running) && (s.Dial == NotTried || s.Status == 200)
}

func (e *Evidence) crashes(name string) Findings {
	c := e.ended(name)
	switch {
	case c == nil || c.Attempt == 0:
		return nil // the first may have been too early
	case logs(leaseLost)(*c) && (e.container(name).Running || Crowded(e.Crowding)):
		return nil // the API server was away, as while it is started anew, or slow, as the machine is
	}
	// A pod of the user's waits for nothing of the control plane that is about to come.
	level := certainIf(e.Settings.Pod != "" && c.Attempt > 1)
	return hasEnded(level, name, *c).see(e.logCommand(name))
}

func hasEnded(level Level, name string, c runtime.Container) Findings {
	return finding(level, "%s has ended %d times, last with exit code %d", name, c.Attempt+1, c.ExitCode).proof(lastLines(texts(c.Log), 3)...)
}

// logCommand shows the logs of a component without the API server.
func (e *Evidence) logCommand(name string) string {
	return fmt.Sprintf("tail -n 20 /var/log/pods/%s_*/%s/*.log", strings.Replace(e.Settings.podOf(name), "/", "_", 1), name)
}

// listeners is the command that shows who listens at a port.
func listeners(port string) string { return fmt.Sprintf("ss -ltnp 'sport = :%s'", port) }

func lastLines(lines []string, n int) []string { return lines[max(len(lines)-n, 0):] }
