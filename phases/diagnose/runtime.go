package diagnose

import (
	"fmt"
	"regexp"
	"strings"
)

const (
	containerdUnit   = "containerd.service"
	containerdSocket = "/run/containerd/containerd.sock"
	containerdLog    = "journalctl -u containerd -n 50"
)

// What is said of, or by, a runtime that does not work.
var (
	containerdFatal = regexp.MustCompile(`^containerd: (.+)|level=(?:fatal|error) msg="?(containerd: .+?)"?$`)
	containerdParse = regexp.MustCompile(`failed to (?:load TOML|unmarshal TOML|parse|load config)|toml: |invalid (?:plugin )?config|unknown (?:plugin|key)|unsupported config version`)
	criNotLoaded    = regexp.MustCompile(`msg="(?:failed to load plugin|skip loading plugin)" error="(.+?)" id=io\.containerd\.(?:grpc\.v1\.cri|cri\.v1\.\w+)`)
	noService       = regexp.MustCompile(`unknown service runtime\.v1\.`)
	notListening    = regexp.MustCompile(`connect: (no such file or directory|connection refused)`)
	noCRI           = regexp.MustCompile(`(error reading server preface|unknown method|not a gRPC|first record does not look like)`)
	noAnswer        = regexp.MustCompile(`DeadlineExceeded|deadline exceeded`)
	noRunc          = regexp.MustCompile(`exec: \\*"(\S*runc)\\*": (executable file not found in \$PATH|stat \S+ no such file or directory)|fork/exec (\S*runc): no such file or directory`)
)

// runtimeRules are about the container runtime.
func runtimeRules() map[string]Rule {
	return map[string]Rule{
		"containerd-config":     {Cause: containerdEnded(true, "containerd can't read its configuration")},
		"containerd-fails":      {Cause: containerdEnded(false, "containerd does not stay up")},
		"containerd-stopped":    {Cause: containerdStopped},
		"runtime-not-listening": {Cause: runtimeNotListening},
		"runtime-not-cri":       {Cause: runtimeNotCRI},
		"runc-missing": {Cause: syncCause(says(noRunc), func(_ *Evidence, f syncFailure) Finding {
			match := noRunc.FindStringSubmatch(f.message)
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
func unitMasked(e *Evidence) []Finding {
	return forEach([]string{containerdUnit, kubeletUnit}, func(name string) []Finding {
		needed := name == kubeletUnit || e.RuntimeError != "" && e.isContainerd()
		return findingIf(needed && e.Units[name].Load == "masked", Finding{
			Level: Error, What: name + " is masked, so that systemd can't start it",
			Remedy: "systemctl unmask " + name + ", then run bootstrap init again", See: "systemctl status " + name,
		})
	})
}

// containerdEnded is of its newest process, which says what it ended for: its
// configuration, or anything else.
func containerdEnded(byConfig bool, what string) func(*Evidence) []Finding {
	return func(e *Evidence) []Finding {
		unit := e.Units[containerdUnit]
		if e.RuntimeError == "" || !e.isContainerd() || unit.Started.IsZero() || unit.Runs() {
			return nil
		}
		line, match := e.recent(containerdUnit, e.Now.Sub(unit.Started), containerdFatal)
		if match == nil || containerdParse.MatchString(line.Text) != byConfig {
			return nil
		}
		return proved(Error, said(what+": "+unquoted(match[1]+match[2])), containerdLog, line.Text)
	}
}

// containerdStopped goes by a unit that systemd does not mean to start: while it starts
// or waits to try again, it is activating.
func containerdStopped(e *Evidence) []Finding {
	unit := e.Units[containerdUnit]
	if e.RuntimeError == "" || !e.isContainerd() || unit.Load != "loaded" {
		return nil
	}
	switch unit.Active {
	case "failed":
		what := fmt.Sprintf("containerd.service has failed (%s, exit status %d), and systemd has given it up", unit.Result, unit.ExitStatus)
		return proved(Error, what, containerdLog)
	case "inactive":
		return proved(Error, "containerd.service was stopped", containerdLog)
	}
	return nil
}

// runtimeWithoutCRI knows the reason only if containerd was started in this run.
func runtimeWithoutCRI(e *Evidence) []Finding {
	if !noService.MatchString(e.RuntimeError) {
		return nil
	}
	if line, reason := e.criNotLoaded(); reason != "" {
		return []Finding{{
			Level: Error, What: said(fmt.Sprintf("the runtime at %s could not load its CRI plugin: %s", e.socket(), reason)),
			Remedy: "correct what it names in /etc/containerd/config.toml, then: systemctl restart containerd", See: containerdLog, Excerpt: excerpt(line),
		}}
	}
	return []Finding{{
		Level: Error, What: fmt.Sprintf("the runtime at %s does not offer the CRI: its plugin is disabled, or could not be loaded", e.socket()),
		Remedy: "take cri out of disabled_plugins in /etc/containerd/config.toml if it is there, then: systemctl restart containerd",
		See:    "journalctl -u containerd | grep 'failed to load plugin'", Excerpt: excerpt(e.RuntimeError),
	}}
}

// criNotLoaded gives the first plugin of the CRI that failed, as others fail for that.
func (e *Evidence) criNotLoaded() (line, reason string) {
	if !noService.MatchString(e.RuntimeError) {
		return "", ""
	}
	for _, l := range e.Journal[containerdUnit] {
		if m := criNotLoaded.FindStringSubmatch(l.Text); m != nil {
			return l.Text, unquoted(m[1])
		}
	}
	return "", ""
}

// containerdStarts tells whether its unit is about to bring it up: it may answer soon.
func (e *Evidence) containerdStarts() bool {
	unit := e.Units[containerdUnit]
	return e.isContainerd() && unit.Load == "loaded" && (!unit.Runs() || e.Now.Sub(unit.Started) < steady)
}

func runtimeNotListening(e *Evidence) []Finding {
	match := notListening.FindStringSubmatch(e.RuntimeError)
	if match == nil || e.containerdStarts() {
		return nil
	}
	what := "there is no socket"
	if match[1] == "connection refused" {
		what = "nobody listens"
	}
	level := Error
	if !e.isContainerd() && e.waited() < steady {
		level = Warning // systemd may be starting it
	}
	what = fmt.Sprintf("no container runtime at %s: %s", e.socket(), what)
	return proved(level, what, "ss -lxp | grep -e containerd -e crio -e docker", e.RuntimeError)
}

func runtimeNotCRI(e *Evidence) []Finding {
	if !noCRI.MatchString(e.RuntimeError) || e.containerdStarts() {
		return nil
	}
	what := fmt.Sprintf("what listens at %s is no container runtime with the CRI", e.socket())
	return proved(Error, what, "ss -lxp | grep "+e.socket(), e.RuntimeError)
}

// runtimeHangs is never certain: it may only be slow.
func runtimeHangs(e *Evidence) []Finding {
	return findingIf(noAnswer.MatchString(e.RuntimeError), Finding{
		Level: Warning, What: fmt.Sprintf("the container runtime at %s takes connections but does not answer", e.socket()), See: containerdLog,
	})
}
