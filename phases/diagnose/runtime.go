package diagnose

import (
	"strings"

	"bootstrap/phases/lazyregexp"
	"bootstrap/phases/machine"
)

// CRI is how a container runtime that is not ours answers; zero where bootstrap
// installs its own, or none runs yet.
type CRI struct {
	Socket  string
	Hangs   bool    // it takes the connection, and says nothing
	NoCRI   bool    // it is a runtime whose CRI plugin is off
	Name    string  // containerd, cri-o, ...
	Version string  // without a v
	Wrong   Problem // what in its configuration does not agree with ours
}

const (
	containerdUnit   = "containerd.service"
	containerdSocket = "/run/containerd/containerd.sock"
	containerdLog    = "journalctl -u containerd -n 50"
)

// What is said of, or by, a runtime that does not work.
var (
	containerdFatal = lazyregexp.New(`^containerd: (.+)|level=(?:fatal|error) msg="?(containerd: .+?)"?$|level=fatal msg="[^"]+" error="(.+)"$`)
	containerdParse = lazyregexp.New(`failed to (?:load TOML|unmarshal TOML|parse|load config)|toml: |invalid (?:plugin )?config|unknown (?:plugin|key)|unsupported config version`)
	criNotLoaded    = lazyregexp.New(`msg="(?:failed to load plugin|skip loading plugin)" error="(.+?)" id=io\.containerd\.(?:grpc\.v1\.cri|cri\.v1\.\w+)`)
	noService       = lazyregexp.New(`unknown service runtime\.v1\.`)
	notListening    = lazyregexp.New(`connect: (no such file or directory|connection refused)`)
	noCRI           = lazyregexp.New(`(error reading server preface|unknown method|not a gRPC|first record does not look like)`)
	noAnswer        = lazyregexp.New(`DeadlineExceeded|deadline exceeded`)
	noRunc          = lazyregexp.New(`exec: \\*"(\S*runc)\\*": (executable file not found in \$PATH|stat \S+ no such file or directory)|fork/exec (\S*runc): no such file or directory`)
)

// runtimeRules are about the container runtime, and what its unit and the kubelet's have in common.
func runtimeRules() map[string]Rule {
	return map[string]Rule{
		"unit-masked": {Cause: unitMasked, Check: func(m *Machine) Findings {
			return forEach(m.Masked, func(unit string) Findings {
				return finding(Error, "%s is masked, so that systemd can't start it", unit).remedy("systemctl unmask %s", unit)
			})
		}},
		"runtime-without-cri": {Cause: runtimeWithoutCRI, Check: func(m *Machine) Findings {
			return errorIf(m.CRI.NoCRI, "the container runtime at %s does not speak CRI, which the kubelet needs", m.CRI.Socket)
		}},
		"runtime-hangs": {Cause: runtimeHangs, Check: func(m *Machine) Findings {
			return warnIf(m.CRI.Hangs, "the container runtime at %s takes connections and does not answer", m.CRI.Socket)
		}},
		"runtime-disagrees": {Check: func(m *Machine) Findings { return m.CRI.Wrong.finding() }},
		"runtime-old": {Check: func(m *Machine) Findings {
			old := m.CRI.Name == "containerd" && machine.Older(m.CRI.Version, 2, 0)
			return warnIf(old, "containerd at %s is %s: Kubernetes wants version 2", m.CRI.Socket, m.CRI.Version)
		}},
		"containerd-config":     {Cause: containerdEnded(true, "containerd can't read its configuration")},
		"containerd-fails":      {Cause: containerdFails},
		"containerd-stopped":    {Cause: containerdStopped},
		"runtime-not-listening": {Cause: runtimeNotListening},
		"runtime-not-cri":       {Cause: runtimeNotCRI},
		"runc-missing": {Cause: syncCause(says(noRunc), func(_ *Evidence, f syncFailure) Findings {
			match := noRunc().FindStringSubmatch(f.message)
			return f.finding("the runtime can't start %s: its program %s is not there", f.pod, match[1]+match[3])
		})},
	}
}

// isContainerd tells whether containerd's unit is what the kubelet depends on.
func (e *Evidence) isContainerd() bool {
	return e.Settings.RuntimeEndpoint == "" || e.socket() == containerdSocket
}

func (e *Evidence) socket() string { return strings.TrimPrefix(e.Settings.RuntimeEndpoint, "unix://") }

// unitMasked is about the kubelet's unit, and containerd's if that is in want.
func unitMasked(e *Evidence) Findings {
	return forEach([]string{containerdUnit, kubeletUnit}, func(name string) Findings {
		needed := name == kubeletUnit || e.RuntimeError != "" && e.isContainerd()
		return errorIf(needed && e.Units[name].Load == "masked", "%s is masked, so that systemd can't start it", name).
			remedy("systemctl unmask %s, then run bootstrap init again", name).see("systemctl status " + name)
	})
}

// containerdEnded is of its newest process, which says what it ended for: its
// configuration, or anything else.
func containerdEnded(byConfig bool, what string) func(*Evidence) Findings {
	return func(e *Evidence) Findings {
		unit := e.Units[containerdUnit]
		if e.RuntimeError == "" || !e.isContainerd() || unit.Started.IsZero() || unit.Active == "active" {
			return nil
		}
		line, match := e.recent(containerdUnit, e.Now.Sub(unit.Started), containerdFatal)
		if match == nil || containerdParse().MatchString(line.Text) != byConfig {
			return nil
		}
		return finding(Error, "%s: %s", what, unquoted(match[1]+match[2]+match[3])).see(containerdLog).proof(line.Text)
	}
}

func containerdFails(e *Evidence) Findings {
	found := containerdEnded(false, "containerd does not stay up")(e)
	if e.RuntimeError != "" && e.isContainerd() {
		found = append(found, withoutProgram(e, containerdUnit)...)
	}
	return found
}

// withoutProgram finds a unit whose program systemd could not start at all, so that its journal says nothing.
func withoutProgram(e *Evidence, unit string) Findings {
	const notExecuted = 203 // EXIT_EXEC in systemd.exec(5)
	u := e.Units[unit]
	return errorIf(u.ExitStatus == notExecuted && (u.Active == "activating" || u.Active == "failed"),
		"systemd can't run the program of %s: it is not there, or can't be executed", unit).
		remedy("put it back, or take the drop-in away that names another; if bootstrap had installed it: bootstrap init").see("systemctl cat " + unit)
}

// containerdStopped goes by a unit that systemd does not mean to start: while it starts
// or waits to try again, it is activating.
func containerdStopped(e *Evidence) Findings {
	unit := e.Units[containerdUnit]
	if e.RuntimeError == "" || !e.isContainerd() || unit.Load != "loaded" {
		return nil
	}
	switch unit.Active {
	case "failed":
		return finding(Error, "containerd.service has failed (%s, exit status %d), and systemd has given it up", unit.Result, unit.ExitStatus).see(containerdLog)
	case "inactive":
		return finding(Error, "containerd.service was stopped").see(containerdLog)
	}
	return nil
}

// runtimeWithoutCRI knows the reason only if containerd was started in this run.
func runtimeWithoutCRI(e *Evidence) Findings {
	if !noService().MatchString(e.RuntimeError) {
		return nil
	}
	if line, reason := e.criNotLoaded(); reason != "" {
		return finding(Error, "the runtime at %s could not load its CRI plugin: %s", e.socket(), reason).see(containerdLog).proof(line).
			remedy("correct what it names in /etc/containerd/config.toml, then: systemctl restart containerd")
	}
	return finding(Error, "the runtime at %s does not offer the CRI: its plugin is disabled, or could not be loaded", e.socket()).
		remedy("take cri out of disabled_plugins in /etc/containerd/config.toml if it is there, then: systemctl restart containerd").
		see("journalctl -u containerd | grep 'failed to load plugin'").proof(e.RuntimeError)
}

// criNotLoaded gives the first plugin of the CRI that failed, as others fail for that.
func (e *Evidence) criNotLoaded() (line, reason string) {
	if !noService().MatchString(e.RuntimeError) {
		return "", ""
	}
	for _, l := range e.Journal[containerdUnit] {
		if m := criNotLoaded().FindStringSubmatch(l.Text); m != nil {
			return l.Text, unquoted(m[1])
		}
	}
	return "", ""
}

// containerdStarts tells whether its unit is about to bring it up: it may answer soon.
func (e *Evidence) containerdStarts() bool {
	unit := e.Units[containerdUnit]
	return e.isContainerd() && unit.Load == "loaded" && (unit.Active != "active" || e.Now.Sub(unit.Started) < steady)
}

func runtimeNotListening(e *Evidence) Findings {
	match := notListening().FindStringSubmatch(e.RuntimeError)
	if match == nil || e.containerdStarts() {
		return nil
	}
	why := "there is no socket"
	if match[1] == "connection refused" {
		why = "nobody listens"
	}
	level := certainIf(e.isContainerd() || e.waited() >= steady) // else systemd may be starting it
	return finding(level, "no container runtime at %s: %s", e.socket(), why).see("ss -lxp | grep -e containerd -e crio -e docker").proof(e.RuntimeError)
}

func runtimeNotCRI(e *Evidence) Findings {
	is := noCRI().MatchString(e.RuntimeError) && !e.containerdStarts()
	return errorIf(is, "what listens at %s is no container runtime with the CRI", e.socket()).see("ss -lxp | grep " + e.socket()).proof(e.RuntimeError)
}

// runtimeSilent tells whether the runtime has taken a connection, and has not answered.
func (e *Evidence) runtimeSilent() bool { return noAnswer().MatchString(e.RuntimeError) }

// runtimeHangs is never certain: it may only be slow.
func runtimeHangs(e *Evidence) Findings {
	hangs := e.runtimeSilent() && !e.isSlow(e.RuntimeSilent, last(e.Journal[containerdUnit]).At)
	return warnIf(hangs, "the container runtime at %s takes connections but does not answer", e.socket()).see(containerdLog)
}
