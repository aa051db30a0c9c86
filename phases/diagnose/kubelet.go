package diagnose

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/lazyregexp"
	"bootstrap/phases/machine"
	"bootstrap/phases/runtime"
)

const (
	kubeletUnit = "kubelet.service"
	kubeletLog  = "journalctl -u kubelet -n 50"
)

// What a kubelet says last, and what of that is in which entry.
var (
	kubeletFatal    = lazyregexp.New(`"(?:command failed|Failed to start ContainerManager|Failed to listen and serve|Failed to start cAdvisor|Failed to start kubelet server)" err="(.+)"\s*$`)
	kubeletFlag     = lazyregexp.New(`^failed to (?:parse kubelet flag|set feature gates from initial flags-based config): (.+)`)
	kubeletSetting  = lazyregexp.New(`^failed to (?:load|validate|merge) .*?error: (?:failed to load Kubelet config file \S+, error )?(?:failed to decode: |invalid configuration: )*(.+?)(?:, path: &TypeMeta.*)?$`)
	kubeletSwap     = lazyregexp.New(`running with swap on is not supported`)
	kubeletCgroups  = lazyregexp.New(`[Cc]group subsystem not mounted: \[?([\w, ]+)|missing required cgroups: ([\w, ]+)|(cgroup v1 support is \w+|kubelet is configured to not run on a host using cgroup v1)`)
	kubeletPort     = lazyregexp.New(`listen tcp (\S+):(\d+): bind: address already in use`)
	kubeletFull     = lazyregexp.New(`(/var/lib/kubelet[^\s:\\"]*)\\?"?: no space left on device`)
	kubeletReadOnly = lazyregexp.New(`(/var/lib/kubelet[^\s:\\"]*)\\?"?: read-only file system`)
	noInotify       = lazyregexp.New(`inotify\S*: too many open files|(?i:(?:create|new|init)\w* .*(?:inotify|watcher)).*too many open files`)
	noResolvConf    = lazyregexp.New(`"Could not open resolv conf file\." err="open ([^:]+): ([^"]+)"`)
	evictedNobody   = lazyregexp.New(`able to reduce resource pressure without evicting pods`)
	evicting        = lazyregexp.New(`"Eviction manager: attempting to reclaim" resourceName="([^"]+)"`)
	// kubeletRefused is of what a kubelet may always do. A pod and what it uses are refused to
	// every kubelet until the API server has seen where the pod runs.
	kubeletRefused = lazyregexp.New(`(?:: |err=")(Unauthorized)|(User \\?"system:(?:anonymous|node:[^"\\]*)\\?" cannot \w+ resource \\?"(?:nodes|leases|csinodes|csidrivers|runtimeclasses|services)\\?")`)
	proxied        = lazyregexp.New(`\\?"(https://[^"\\]+)\\?": (proxyconnect tcp: [^"]+)`)
)

// kubeletRules are about the kubelet itself: why it is not up, and what it lacks.
func kubeletRules() map[string]Rule {
	return map[string]Rule{
		"kubelet-disk-full":      {Check: diskFull("kubelet"), Cause: kubeletDisk(kubeletFull, "is full", Disk.isFull)},
		"kubelet-disk-read-only": {Check: diskReadOnly("kubelet"), Cause: kubeletDisk(kubeletReadOnly, "is read-only", Disk.isReadOnly)},
		"kubelet-stopped":        {Cause: kubeletStopped},
		"kubelet-flag":           {Cause: kubeletSaid(kubeletFlag, "the kubelet refuses its flags")},
		"kubelet-config":         {Cause: kubeletSaid(kubeletSetting, "the kubelet refuses /var/lib/kubelet/config.yaml")},
		"kubelet-swap":           {Cause: kubeletSaid(kubeletSwap, "swap is on, and the kubelet is told not to run beside it (failSwapOn)")},
		"kubelet-cgroups":        {Cause: kubeletSaid(kubeletCgroups, "the kubelet lacks a cgroup controller")},
		"kubelet-port-taken":     {Cause: kubeletPortTaken},
		"kubelet-fails":          {Cause: kubeletFails},
		"node-pressure":          {Cause: nodePressure},
		"kubelet-not-authorized": {Cause: kubeletNotAuthorized},
	}
}

// kubeletEnd is what the kubelet's newest process ended with, empty while it goes on:
// an older one may have had another configuration.
func (e *Evidence) kubeletEnd() (line, reason string) {
	unit := e.Units[kubeletUnit]
	if unit.Started.IsZero() {
		return "", ""
	}
	last, match := e.recent(kubeletUnit, e.Now.Sub(unit.Started), kubeletFatal)
	if match == nil {
		return "", ""
	}
	return last.Text, unquoted(match[1])
}

// kubeletSaid: the kubelet has ended, and says why.
func kubeletSaid(pattern lazyregexp.Regexp, what string) func(*Evidence) Findings {
	return func(e *Evidence) Findings {
		line, reason := e.kubeletEnd()
		match, said := pattern().FindStringSubmatch(reason), what
		if match == nil {
			return nil
		}
		if detail := cmp.Or(match[1:]...); detail != "" {
			said += ": " + detail
		}
		return finding(Error, "%s", said).see(kubeletLog).proof(line)
	}
}

func kubeletPortTaken(e *Evidence) Findings {
	line, reason := e.kubeletEnd()
	match := kubeletPort().FindStringSubmatch(reason)
	if match == nil || !slices.Contains(e.Listening, match[2]) {
		return nil
	}
	return finding(Error, "the kubelet can't listen on %s:%s: another program does", match[1], match[2]).see(listeners(match[2])).proof(line)
}

// kubeletDisk holds until a pod has come up since it was said, and is certain while the
// file system is so.
func kubeletDisk(pattern lazyregexp.Regexp, what string, is func(Disk) bool) func(*Evidence) Findings {
	return func(e *Evidence) Findings {
		last, match := e.recent(kubeletUnit, sayAgain, pattern)
		if match == nil || strings.Contains(match[1], "/volumes/") || e.podSince(last.At) { // those may be on other disks
			return nil
		}
		now := slices.ContainsFunc(e.Disks, func(d Disk) bool { return d.Daemon == "kubelet" && is(d) })
		level := certainIf(now || e.again(pattern, last.At))
		return finding(level, "the kubelet can't write %s: its file system %s", match[1], what).
			see("df -h /var/lib/kubelet; df -i /var/lib/kubelet").proof(last.Text)
	}
}

// again tells whether what was said at a moment was said before as well: one look after the
// other finds the same line.
func (e *Evidence) again(pattern lazyregexp.Regexp, at time.Time) bool {
	return slices.ContainsFunc(e.Journal[kubeletUnit], func(l machine.LogLine) bool {
		return at.Sub(l.At) >= time.Second && at.Sub(l.At) <= sayAgain && pattern().MatchString(l.Text)
	})
}

// podSince tells whether any pod was made after a moment.
func (e *Evidence) podSince(at time.Time) bool {
	return slices.ContainsFunc(e.Pods, func(p runtime.Sandbox) bool { return isUpSince(p, at, "") })
}

// kubeletFails wants the same end three times, unless systemd has given it up: the first may have been too early.
// What comes of a runtime that does not answer is that one's.
func kubeletFails(e *Evidence) Findings {
	line, reason := e.kubeletEnd()
	if reason == "" || e.RuntimeError != "" {
		return withoutProgram(e, kubeletUnit)
	}
	times := 0
	for _, l := range e.Journal[kubeletUnit] {
		if m := kubeletFatal().FindStringSubmatch(l.Text); m != nil && unquoted(m[1]) == reason {
			times++
		}
	}
	return errorIf(times >= 3 || e.Units[kubeletUnit].Active == "failed", "the kubelet ends each time it is started: %s", reason).see(kubeletLog).proof(line)
}

// inotifyMissed is certain where the kubelet ends for it; else it may run all the same.
func inotifyMissed(e *Evidence) Findings {
	if found := kubeletSaid(noInotify, "the kubelet gets no inotify instance")(e); found != nil {
		return found
	}
	if line, reason := e.criNotLoaded(); noInotify().MatchString(reason) {
		return finding(Error, "containerd could not load its CRI plugin, as it gets no inotify instance").
			remedy("raise the limits: bootstrap preflight --fix; then: systemctl restart containerd").see(containerdLog).proof(line)
	}
	if found := inotifyUsedUp(&e.Machine); found != nil {
		return found
	}
	last, match := e.recent(kubeletUnit, sayAgain, noInotify)
	return warnIf(match != nil, "the kubelet gets no inotify instance, and does not notice when files change").see(kubeletLog).proof(last.Text)
}

// resolverMissed goes by what the kubelet says: it may read another file than init meant.
// One that is there now may have come since.
func resolverMissed(e *Evidence) Findings {
	if found := resolverFileMissing(&e.Machine); found != nil {
		return found
	}
	last, match := e.recent(kubeletUnit, sayAgain, noResolvConf)
	isBefore := last.At.Before(e.Units[kubeletUnit].Started) // of a kubelet that was told another file
	if match == nil || isBefore || e.podSince(last.At) {
		return nil
	}
	isThere := e.Resolver.Read && e.Resolver.File == match[1]
	level := certainIf(!isThere && e.again(noResolvConf, last.At))
	found := finding(level, "the kubelet starts no pod, as it can't read the resolvers in %s: %s", match[1], match[2]).
		see("ls -l " + match[1]).proof(last.Text)
	if e.Resolver.Read && e.Resolver.File != match[1] && !e.Resolver.Own { // such as that of systemd-resolved, which was turned off
		return found.remedy("run bootstrap init: it has the kubelet read %s in its place", cmp.Or(e.Resolver.File, "none"))
	}
	return found
}

// nodePressure is said every ten seconds as long as it lasts, also where it is enough to
// remove images. Static pods run all the same: only addons can wait for it in vain.
func nodePressure(e *Evidence) Findings {
	last, match := e.recent(kubeletUnit, sayAgain, evicting)
	if match == nil {
		return nil
	}
	if enough, found := e.recent(kubeletUnit, sayAgain, evictedNobody); found != nil && !enough.At.Before(last.At) {
		return nil
	}
	see := "df -h /var/lib/kubelet"
	if match[1] == "memory" {
		see = "free -m"
	}
	level := certainIf(e.Addons && e.again(evicting, last.At))
	return finding(level, "the kubelet evicts pods and takes no new ones: too little %s is left", match[1]).
		see(see).proof(last.Text)
}

// kubeletStopped is certain of a kubelet that has run in this time: init itself may not
// have started it yet. One that systemd has given up says by itself what it ended for.
func kubeletStopped(e *Evidence) Findings {
	unit := e.Units[kubeletUnit]
	if _, reason := e.kubeletEnd(); reason != "" || unit.Load != "loaded" || unit.Active != "inactive" && unit.Active != "failed" {
		return nil
	}
	level := certainIf(len(e.Journal[kubeletUnit]) > 0)
	return finding(level, "kubelet.service does not run (%s, %s)", unit.Active, unit.Result).see(kubeletLog)
}

// kubeletNotAuthorized wants the API server to be well: before, it may refuse anybody, also
// shortly before the present wait began.
func kubeletNotAuthorized(e *Evidence) Findings {
	age := steady
	if !e.Waits.IsZero() {
		age = min(age, e.waited())
	}
	line, match := e.recent(kubeletUnit, age, kubeletRefused)
	if match == nil || e.API.Status != 200 {
		return nil
	}
	return finding(Warning, "the API server refuses the kubelet: %s", match[1]+match[2]).see(kubeletLog).proof(line.Text)
}

// kubeletByProxy is of requests to this cluster alone: others, as for pods of a URL, may have to go there.
// It is certain once the kubelet that runs now has said it twice.
func kubeletByProxy(e *Evidence) Findings {
	line, match := e.recent(kubeletUnit, sayAgain, proxied)
	if match == nil || line.At.Before(e.Units[kubeletUnit].Started) {
		return nil
	}
	at, err := url.Parse(match[1])
	if err != nil || at.Hostname() != e.Settings.AdvertiseAddress.String() && at.Host != e.Settings.Endpoint {
		return nil
	}
	return finding(certainIf(e.again(proxied, line.At)), "the kubelet asks a proxy for the API server: %s", match[2]).
		remedy("add %s to NO_PROXY in the environment of kubelet.service; then: systemctl daemon-reload; systemctl restart kubelet",
			at.Hostname()).
		see("systemctl show kubelet -p Environment; systemctl show-environment").proof(line.Text)
}
