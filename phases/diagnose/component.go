package diagnose

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"bootstrap/phases/runtime"
)

// What programs of the control plane say when they can't be what their manifest wants.
var (
	badFlag = regexp.MustCompile(`invalid argument "[^"]*" for "(?:-\w, )?(--[\w-]+)" flag.*|unknown (?:shorthand )?flag: (\S+)|` +
		`invalid value "[^"]*" for flag (-[\w-]+).*|flag provided but not defined: (-[\w-]+)`)
	commandFailed = regexp.MustCompile(`"command failed" err="(.+)"\s*$|^Error: (.+)|^error: (.+)`)
	// passing failures are of what the program needs, which may come; or of its lease.
	passing   = regexp.MustCompile(`deadline exceeded|connection refused|timed out|timeout|leaderelection lost|lost lease|etcdserver|EOF|connection reset|no route|Unauthorized|address already in use`)
	leaseLost = regexp.MustCompile(`(?i)"leaderelection lost`)
	portTaken = regexp.MustCompile(`listen \w+ (\S+): bind: address already in use`)
)

// componentRules are about any of the control plane's programs.
func componentRules() map[string]Rule {
	return map[string]Rule{
		"component-bad-flag":         {Cause: ofFirstComponent((*Evidence).flagRefused)},
		"component-refuses-settings": {Cause: ofFirstComponent((*Evidence).settingsRefused)},
		"component-program-damaged":  {Cause: ofFirstComponent((*Evidence).programDamaged)},
	}
}

// unexplainedRules are for what nothing before explains.
func unexplainedRules() map[string]Rule {
	return map[string]Rule{
		"component-hangs":   {Cause: ofFirstComponent((*Evidence).silent)},
		"component-crashes": {Cause: componentCrashes},
		"addon-crashes":     {Cause: addonCrashes},
		"no-known-cause":    {}, // see Unexplained
	}
}

func (e *Evidence) flagRefused(name string) []Finding {
	line, match := e.logged(name, badFlag)
	if match == nil {
		return nil
	}
	what := fmt.Sprintf("%s refuses its flag %s: %s", name, firstOf(match[1:]), said(match[0]))
	return e.provedByLog(e.certainty(name, logs(badFlag)), name, what, line)
}

// portHeld is certain only if no other try of the same component holds the port: an old
// one may be on its way out.
func (e *Evidence) portHeld(name string) []Finding {
	line, match := e.logged(name, portTaken)
	if match == nil || e.runs(name) {
		return nil
	}
	port := match[1][strings.LastIndex(match[1], ":")+1:]
	if !slices.Contains(e.Listening, port) {
		return nil // whoever held it is gone
	}
	return proved(Error, fmt.Sprintf("%s can't listen on %s: another program does", name, match[1]), listeners(port), line)
}

// runs tells whether any try of a component is up, be it of a manifest of before.
func (e *Evidence) runs(component string) bool {
	for _, p := range e.Pods {
		if p.Namespace+"/"+p.Name == e.Settings.podOf(component) && slices.ContainsFunc(p.Containers, func(c runtime.Container) bool { return c.Name == component && c.Running }) {
			return true
		}
	}
	return false
}

func (e *Evidence) settingsRefused(name string) []Finding {
	c := e.ended(name)
	if c == nil {
		return nil
	}
	reason := failure(texts(c.Log))
	if reason == "" || passing.MatchString(reason) {
		return nil
	}
	same := func(c runtime.Container) bool { return failure(texts(c.Log)) == reason }
	what := fmt.Sprintf("%s refuses its settings: %s", name, reason)
	return e.provedByLog(e.certainty(name, same), name, what, lastLines(texts(c.Log), 3)...)
}

// programDamaged is of the control plane's programs: those of users end by these signals
// for reasons of their own, and their logs are not read.
func (e *Evidence) programDamaged(name string) []Finding {
	c := e.ended(name)
	if c == nil || !damaged(*c) || e.Settings.Pod != "" {
		return nil
	}
	what := fmt.Sprintf("the program of %s is damaged on the disk: it ends by %s and writes nothing", name, fatalSignals[c.ExitCode])
	return proved(e.certainty(name, damaged), what, seePods)
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
			return said(strings.Join(strings.Fields(block), " "))
		}
		if m := commandFailed.FindStringSubmatch(line); m != nil {
			return said(firstOf(m[1:]))
		}
	}
	return ""
}

// componentCrashes blames none that ended for want of one that does not work.
func componentCrashes(e *Evidence) []Finding {
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
	return (c == nil || c.Running) && (s.Dial == NotTried || s.Status == 200)
}

func (e *Evidence) crashes(name string) []Finding {
	c := e.ended(name)
	switch {
	case c == nil || c.Attempt == 0:
		return nil // the first may have been too early
	case logs(leaseLost)(*c) && e.container(name).Running:
		return nil // the API server was away, as while it is started anew
	}
	level := Warning
	if e.Settings.Pod != "" && c.Attempt > 1 { // nothing of the control plane is about to come, for which it may wait
		level = Error
	}
	return e.provedByLog(level, name, hasEnded(name, *c), lastLines(texts(c.Log), 3)...)
}

func hasEnded(name string, c runtime.Container) string {
	return fmt.Sprintf("%s has ended %d times, last with exit code %d", name, c.Attempt+1, c.ExitCode)
}

func addonCrashes(e *Evidence) []Finding {
	for _, name := range []string{"kube-proxy", "cni-install", "flanneld", "coredns"} {
		for _, c := range e.addonContainers(name) {
			if failed(c.Container) && c.Attempt > 0 {
				return provedByAddon(Warning, name, hasEnded(name, c.Container), lastLines(texts(c.Log), 3)...)
			}
		}
	}
	return nil
}

// logCommand shows the logs of a component without the API server.
func (e *Evidence) logCommand(name string) string {
	return fmt.Sprintf("tail -n 20 /var/log/pods/%s_*/%s/*.log", strings.Replace(e.Settings.podOf(name), "/", "_", 1), name)
}

// listeners is the command that shows who listens at a port.
func listeners(port string) string { return fmt.Sprintf("ss -ltnp 'sport = :%s'", port) }

func firstOf(texts []string) string { return cmp.Or(texts...) }

// said is what a program wrote, shortened and without the quoting of its log format.
func said(text string) string {
	text = strings.ReplaceAll(text, `\"`, `"`)
	if lines := excerpt(text); len(lines) > 0 {
		return lines[0]
	}
	return ""
}

func lastLines(lines []string, n int) []string { return lines[max(len(lines)-n, 0):] }
