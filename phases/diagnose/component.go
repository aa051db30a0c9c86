package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
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

// componentEntries are about any of the control plane's programs.
func componentEntries() []Entry {
	return []Entry{
		{
			ID:     "component-bad-flag",
			Title:  "a component does not know a flag, or refuses its value",
			Means:  "The program ends as soon as it has read its command line, and the kubelet starts it again and again.",
			Remedy: "correct the flag where it was set: extraArgs in the config file, or a patch; then run bootstrap init again",
			Mend:   "correct the flag in the manifest, and apply it again",
			Cause: func(e *Evidence) []Finding {
				return e.eachComponent(func(name string) *Finding { return e.flagRefused(name) })
			},
		},
		{
			ID:     "component-refuses-settings",
			Title:  "a component refuses its settings or a file that they name",
			Means:  "The program reads its command line and files, says what is wrong, and ends; the kubelet starts it again and again.",
			Remedy: "correct what it names: extraArgs and extraVolumes in the config file, a patch, or the file itself; then run bootstrap init again",
			Mend:   "correct what it names, in the manifest or in the file itself, and apply the manifest again",
			Cause: func(e *Evidence) []Finding {
				return e.eachComponent(func(name string) *Finding { return e.settingsRefused(name) })
			},
		},
		{
			ID:     "component-program-damaged",
			Title:  "the program of a component is damaged on the disk",
			Means:  "The program ended by SIGBUS or SIGSEGV before it wrote a word. So does one whose file in the image is cut short, as after a power cut that came before the disk had all of it; the runtime takes the image for whole. What bootstrap imports is on the disk before it counts.",
			Remedy: "bring the image again: bootstrap reset, and bootstrap init; one that was there before bootstrap is removed with crictl rmi IMAGE",
			Cause: func(e *Evidence) []Finding {
				return e.eachComponent(func(name string) *Finding { return e.programDamaged(name) })
			},
		},
	}
}

// unexplainedEntries are for what nothing before explains.
func unexplainedEntries() []Entry {
	return []Entry{
		{
			ID:     "component-hangs",
			Title:  "a component runs and does not answer",
			Means:  "etcd or the API server has been up for over a minute, the kernel takes connections for it, and nothing comes back. The kubelet ends it when its liveness probe has failed for over a minute, and starts it again.",
			Remedy: "see what it waits for, such as a disk that does not answer: dmesg, and the end of its log; the kubelet starts it again by itself",
			Cause: func(e *Evidence) []Finding {
				return e.eachComponent(func(name string) *Finding { return e.silent(name) })
			},
		},
		{
			ID:     "component-crashes",
			Title:  "a component ends again and again",
			Means:  "The program starts, and ends with an error that may pass: what it needs is not there yet, or it is a defect. The kubelet waits longer before each new try.",
			Remedy: "read the end of its log",
			Cause:  componentCrashes,
		},
		{
			ID:     "addon-crashes",
			Title:  "an addon ends again and again",
			Means:  "A pod of cluster DNS, kube-proxy or the pod network starts and ends with an error, perhaps because what it needs is not there yet.",
			Remedy: "read the end of its log",
			Cause:  addonCrashes,
		},
		{
			ID:     "no-known-cause",
			Title:  "something is not ready, and nothing that is known explains it",
			Means:  "The evidence was looked at, and fits no entry of this catalogue.",
			Remedy: "read what is shown; run the same command again to go on, or undo it: bootstrap reset",
		},
	}
}

// eachComponent asks about the static pods in the order they need each other, and takes
// the first answer: the others may fail for that.
func (e *Evidence) eachComponent(ask func(name string) *Finding) []Finding {
	for _, name := range e.Settings.Components {
		if f := ask(name); f != nil {
			return []Finding{*f}
		}
	}
	return nil
}

func (e *Evidence) flagRefused(name string) *Finding {
	line, match := e.logged(name, badFlag)
	if match == nil {
		return nil
	}
	return &Finding{
		Level: e.certainty(name, logs(badFlag)), What: fmt.Sprintf("%s refuses its flag %s: %s", name, firstOf(match[1:]), said(match[0])),
		See: e.logCommand(name), Excerpt: excerpt(line),
	}
}

// portHeld is certain only if no other try of the same component holds the port: an old
// one may be on its way out.
func (e *Evidence) portHeld(name string) *Finding {
	line, match := e.logged(name, portTaken)
	if match == nil || e.runs(name) {
		return nil
	}
	port := match[1][strings.LastIndex(match[1], ":")+1:]
	if !slices.Contains(e.Listening, port) {
		return nil // whoever held it is gone
	}
	return &Finding{
		Level: Error, What: fmt.Sprintf("%s can't listen on %s: another program does", name, match[1]),
		See: fmt.Sprintf("ss -ltnp 'sport = :%s'", port), Excerpt: excerpt(line),
	}
}

// runs tells whether any try of a component is up, be it of a manifest of before.
func (e *Evidence) runs(component string) bool {
	for _, p := range e.Pods {
		if p.Namespace+"/"+p.Name == e.Settings.podOf(component) && slices.ContainsFunc(p.Containers, func(c Container) bool { return c.Name == component && c.Running }) {
			return true
		}
	}
	return false
}

func (e *Evidence) settingsRefused(name string) *Finding {
	c := e.ended(name)
	if c == nil {
		return nil
	}
	reason := failure(c.Log)
	if reason == "" || passing.MatchString(reason) {
		return nil
	}
	same := func(c Container) bool { return failure(c.Log) == reason }
	return &Finding{
		Level: e.certainty(name, same), What: fmt.Sprintf("%s refuses its settings: %s", name, reason),
		See: e.logCommand(name), Excerpt: excerpt(lastLines(c.Log, 3)...),
	}
}

// programDamaged is of the control plane's programs: those of users end by these signals
// for reasons of their own, and their logs are not read.
func (e *Evidence) programDamaged(name string) *Finding {
	c := e.ended(name)
	if c == nil || !damaged(*c) || e.Settings.Pod != "" {
		return nil
	}
	return &Finding{
		Level: e.certainty(name, damaged), What: fmt.Sprintf("the program of %s is damaged on the disk: it ends by %s and writes nothing", name, fatalSignals[c.ExitCode]),
		See: "bootstrap pods -a",
	}
}

// fatalSignals are the exit codes of programs that read a part of themselves that is not there.
var fatalSignals = map[int]string{128 + 7: "SIGBUS", 128 + 11: "SIGSEGV"}

func damaged(c Container) bool { return fatalSignals[c.ExitCode] != "" && len(c.Log) == 0 }

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
		if f := e.crashes(name); f != nil {
			return []Finding{*f}
		}
		if !e.works(name) {
			return nil
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

func (e *Evidence) crashes(name string) *Finding {
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
	return &Finding{
		Level: level, What: fmt.Sprintf("%s has ended %d times, last with exit code %d", name, c.Attempt+1, c.ExitCode),
		See: e.logCommand(name), Excerpt: excerpt(lastLines(c.Log, 3)...),
	}
}

func addonCrashes(e *Evidence) []Finding {
	for _, name := range []string{"kube-proxy", "cni-install", "flanneld", "coredns"} {
		for _, c := range e.addonContainers(name) {
			if !c.failed() || c.Attempt == 0 {
				continue
			}
			return []Finding{{
				Level: Warning, What: fmt.Sprintf("%s has ended %d times, last with exit code %d", name, c.Attempt+1, c.ExitCode),
				See: addonLogCommand(name), Excerpt: excerpt(lastLines(c.Log, 3)...),
			}}
		}
	}
	return nil
}

// logCommand shows the logs of a component without the API server.
func (e *Evidence) logCommand(name string) string {
	return fmt.Sprintf("tail -n 20 /var/log/pods/%s_*/%s/*.log", strings.Replace(e.Settings.podOf(name), "/", "_", 1), name)
}

func firstOf(texts []string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// said is what a program wrote, shortened and without the quoting of its log format.
func said(text string) string {
	text = strings.ReplaceAll(text, `\"`, `"`)
	if lines := excerpt(text); len(lines) > 0 {
		return lines[0]
	}
	return ""
}

func lastLines(lines []string, n int) []string { return lines[max(len(lines)-n, 0):] }
