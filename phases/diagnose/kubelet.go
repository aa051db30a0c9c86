package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

const (
	kubeletUnit = "kubelet.service"
	kubeletLog  = "journalctl -u kubelet -n 50"
)

// What a kubelet says last, and what of that is in which entry.
var (
	kubeletFatal    = regexp.MustCompile(`"(?:command failed|Failed to start ContainerManager|Failed to listen and serve|Failed to start cAdvisor|Failed to start kubelet server)" err="(.+)"\s*$`)
	kubeletFlag     = regexp.MustCompile(`^failed to (?:parse kubelet flag|set feature gates from initial flags-based config): (.+)`)
	kubeletSetting  = regexp.MustCompile(`^failed to (?:load|validate|merge) .*?error: (?:failed to load Kubelet config file \S+, error )?(?:failed to decode: |invalid configuration: )*(.+?)(?:, path: &TypeMeta.*)?$`)
	kubeletSwap     = regexp.MustCompile(`running with swap on is not supported`)
	kubeletCgroups  = regexp.MustCompile(`[Cc]group subsystem not mounted: \[?([\w, ]+)|missing required cgroups: ([\w, ]+)|(cgroup v1 support is \w+|kubelet is configured to not run on a host using cgroup v1)`)
	kubeletPort     = regexp.MustCompile(`listen tcp (\S+):(\d+): bind: address already in use`)
	kubeletFull     = regexp.MustCompile(`(/var/lib/kubelet[^\s:\\"]*)\\?"?: no space left on device`)
	kubeletReadOnly = regexp.MustCompile(`(/var/lib/kubelet[^\s:\\"]*)\\?"?: read-only file system`)
	noInotify       = regexp.MustCompile(`inotify\S*: too many open files|(?i:(?:create|new|init)\w* .*(?:inotify|watcher)).*too many open files`)
	noResolvConf    = regexp.MustCompile(`"Could not open resolv conf file\." err="open ([^:]+): ([^"]+)"`)
	evictedNobody   = regexp.MustCompile(`able to reduce resource pressure without evicting pods`)
	evicting        = regexp.MustCompile(`"Eviction manager: attempting to reclaim" resourceName="([^"]+)"`)
)

// kubeletEntries are about the kubelet itself: why it is not up, and what it lacks.
func kubeletEntries() []Entry {
	return []Entry{
		{
			ID:     "kubelet-disk-full",
			Title:  "the file system of the kubelet's folder is full",
			Means:  "The kubelet keeps its certificate, its state and the volumes of pods in /var/lib/kubelet.",
			Remedy: "free space or inodes there (df -h /var/lib/kubelet; df -i /var/lib/kubelet), then run bootstrap init again",
			Check:  func(m *Machine) []Finding { return diskFull(m, "kubelet") },
			Cause:  func(e *Evidence) []Finding { return e.kubeletDisk(kubeletFull, "is full", Disk.isFull) },
		},
		{
			ID:     "kubelet-disk-read-only",
			Title:  "the file system of the kubelet's folder is read-only",
			Means:  "It was mounted so, or the kernel has made it so after an error of the disk.",
			Remedy: "see the kernel's log for errors of the disk (dmesg), mount it writable, then run bootstrap init again",
			Check:  func(m *Machine) []Finding { return diskReadOnly(m, "kubelet") },
			Cause: func(e *Evidence) []Finding {
				return e.kubeletDisk(kubeletReadOnly, "is read-only", func(d Disk) bool { return d.ReadOnly })
			},
		},
		{
			ID:     "kubelet-stopped",
			Title:  "the kubelet was stopped",
			Means:  "Pods that run go on, but nobody starts them again or tells the API server of them: after 40 s the Node is not ready.",
			Remedy: "systemctl start kubelet",
			Cause:  kubeletStopped,
		},
		{
			ID:     "kubelet-flag",
			Title:  "the kubelet does not know a flag, or refuses its value",
			Means:  "It ends as soon as it has read its command line, and systemd starts it again and again.",
			Remedy: "correct it in nodeRegistration.kubeletExtraArgs of the config file, then run bootstrap init again",
			Cause:  func(e *Evidence) []Finding { return e.kubeletSaid(kubeletFlag, "the kubelet refuses its flags") },
		},
		{
			ID:     "kubelet-config",
			Title:  "the kubelet refuses its configuration",
			Means:  "It ends as soon as it has read /var/lib/kubelet/config.yaml, which is made of init's defaults, KubeletConfiguration in the config file, and patches.",
			Remedy: "correct KubeletConfiguration in the config file, or the patch, then run bootstrap init again: it writes the file anew",
			Cause: func(e *Evidence) []Finding {
				return e.kubeletSaid(kubeletSetting, "the kubelet refuses /var/lib/kubelet/config.yaml")
			},
		},
		{
			ID:     "kubelet-swap",
			Title:  "swap is on, and the kubelet is told to refuse it",
			Means:  "By itself, init lets the kubelet run beside swap where it finds some; it was turned on since, or failSwapOn is set.",
			Remedy: "turn it off (swapoff -a, and take it out of /etc/fstab), or set failSwapOn: false in KubeletConfiguration; then run bootstrap init again",
			Cause: func(e *Evidence) []Finding {
				return e.kubeletSaid(kubeletSwap, "swap is on, and the kubelet is told not to run beside it (failSwapOn)")
			},
		},
		{
			ID:     "kubelet-cgroups",
			Title:  "the kernel's cgroups lack what the kubelet needs",
			Means:  "The kubelet limits pods by the controllers cpu, cpuset, memory and pids. One that the kernel has not, or that is not mounted, keeps it from running.",
			Remedy: "turn it on at the kernel's command line (cgroup_enable=memory), mount it, and boot again",
			Cause: func(e *Evidence) []Finding {
				return e.kubeletSaid(kubeletCgroups, "the kubelet lacks a cgroup controller")
			},
		},
		{
			ID:     "kubelet-port-taken",
			Title:  "another program listens on a port of the kubelet",
			Means:  "The kubelet ends when it can't listen. Another kubelet, or a program that began after preflight.",
			Remedy: "stop the program that holds the port; systemd then starts the kubelet by itself",
			Cause:  kubeletPortTaken,
		},
		{
			ID:     "kubelet-fails",
			Title:  "the kubelet ends again and again",
			Means:  "It says each time what it can't do without, and systemd starts it again.",
			Remedy: "mend what it names, then run bootstrap init again",
			Cause:  kubeletFails,
		},
		{
			ID:     "node-pressure",
			Title:  "the kubelet evicts pods, as a resource of the machine runs out",
			Means:  "Below a threshold (evictionHard in KubeletConfiguration) it stops pods and lets none be scheduled, until five minutes after there is enough again.",
			Remedy: "free what it names, then run bootstrap init again",
			Link:   "https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/",
			Cause:  nodePressure,
		},
	}
}

// kubeletEnd is what the kubelet's newest process ended with, empty while it goes on:
// an older one may have had another configuration.
func (e *Evidence) kubeletEnd() (line, reason string) {
	unit := e.Units[kubeletUnit]
	if unit.Started.IsZero() {
		return "", ""
	}
	line, match := e.recent(kubeletUnit, e.Now.Sub(unit.Started), kubeletFatal)
	if match == nil {
		return "", ""
	}
	return line, unquoted(match[1])
}

// kubeletSaid: the kubelet has ended, and says why.
func (e *Evidence) kubeletSaid(pattern *regexp.Regexp, what string) []Finding {
	line, reason := e.kubeletEnd()
	match := pattern.FindStringSubmatch(reason)
	if match == nil {
		return nil
	}
	if detail := firstOf(match[1:]); detail != "" {
		what += ": " + detail
	}
	return []Finding{{Level: Error, What: said(what), See: kubeletLog, Excerpt: excerpt(line)}}
}

func kubeletPortTaken(e *Evidence) []Finding {
	line, reason := e.kubeletEnd()
	match := kubeletPort.FindStringSubmatch(reason)
	if match == nil || !slices.Contains(e.Listening, match[2]) {
		return nil
	}
	return []Finding{{
		Level: Error, What: fmt.Sprintf("the kubelet can't listen on %s:%s: another program does", match[1], match[2]),
		See: fmt.Sprintf("ss -ltnp 'sport = :%s'", match[2]), Excerpt: excerpt(line),
	}}
}

// kubeletDisk holds until a pod has come up since it was said, and is certain while the
// file system is so.
func (e *Evidence) kubeletDisk(pattern *regexp.Regexp, what string, is func(Disk) bool) []Finding {
	last, match := e.lastSaid(pattern)
	if match == nil || e.podSince(last.At) {
		return nil
	}
	level := e.again(pattern, last)
	if slices.ContainsFunc(e.Disks, func(d Disk) bool { return d.Daemon == "kubelet" && is(d) }) {
		level = Error
	}
	return []Finding{{
		Level: level, What: fmt.Sprintf("the kubelet can't write %s: its file system %s", match[1], what),
		See: "df -h /var/lib/kubelet; df -i /var/lib/kubelet", Excerpt: excerpt(last.Text),
	}}
}

// lastSaid is like recent, for what the kubelet says each time that it tries again.
func (e *Evidence) lastSaid(pattern *regexp.Regexp) (Line, []string) {
	for _, l := range slices.Backward(e.Journal[kubeletUnit]) {
		if e.Now.Sub(l.At) > sayAgain {
			break
		}
		if m := pattern.FindStringSubmatch(l.Text); m != nil {
			return l, m
		}
	}
	return Line{}, nil
}

// again is certain of what was said before as well: one look after the other finds the
// same line.
func (e *Evidence) again(pattern *regexp.Regexp, last Line) Level {
	for _, l := range e.Journal[kubeletUnit] {
		if last.At.Sub(l.At) >= time.Second && last.At.Sub(l.At) <= sayAgain && pattern.MatchString(l.Text) {
			return Error
		}
	}
	return Warning
}

// podSince tells whether any pod was made after a moment.
func (e *Evidence) podSince(at time.Time) bool {
	return slices.ContainsFunc(e.Pods, func(p Pod) bool { return p.isUpSince(at, "") })
}

// kubeletFails wants the same end three times: the first may have been too early. What
// comes of a runtime that does not answer is that one's.
func kubeletFails(e *Evidence) []Finding {
	line, reason := e.kubeletEnd()
	if reason == "" || e.RuntimeError != "" {
		return nil
	}
	times := 0
	for _, l := range e.Journal[kubeletUnit] {
		if m := kubeletFatal.FindStringSubmatch(l.Text); m != nil && unquoted(m[1]) == reason {
			times++
		}
	}
	if times < 3 {
		return nil
	}
	return []Finding{{Level: Error, What: said("the kubelet ends each time it is started: " + reason), See: kubeletLog, Excerpt: excerpt(line)}}
}

// inotifyMissed is certain where the kubelet ends for it; else it may run all the same.
func inotifyMissed(e *Evidence) []Finding {
	if found := e.kubeletSaid(noInotify, "the kubelet gets no inotify instance"); found != nil {
		return found
	}
	if line, reason := e.criNotLoaded(); noInotify.MatchString(reason) {
		return []Finding{{
			Level: Error, What: "containerd could not load its CRI plugin, as it gets no inotify instance",
			Remedy: "raise the limits: bootstrap preflight --fix; then: systemctl restart containerd", See: containerdLog, Excerpt: excerpt(line),
		}}
	}
	if found := inotifyUsedUp(&e.Machine); found != nil {
		return found
	}
	last, match := e.lastSaid(noInotify)
	if match == nil {
		return nil
	}
	return []Finding{{Level: Warning, What: "the kubelet gets no inotify instance, and does not notice when files change", See: kubeletLog, Excerpt: excerpt(last.Text)}}
}

// resolverMissed goes by what the kubelet says: it may read another file than init meant.
// One that is there now may have come since.
func resolverMissed(e *Evidence) []Finding {
	if found := resolverFileMissing(&e.Machine); found != nil {
		return found
	}
	last, match := e.lastSaid(noResolvConf)
	if match == nil || e.podSince(last.At) {
		return nil
	}
	level := e.again(noResolvConf, last)
	if e.Resolver.Read && e.Resolver.File == match[1] {
		level = Warning
	}
	return []Finding{{
		Level: level, What: fmt.Sprintf("the kubelet starts no pod, as it can't read the resolvers in %s: %s", match[1], match[2]),
		See: "ls -l " + match[1], Excerpt: excerpt(last.Text),
	}}
}

// nodePressure is said every ten seconds as long as it lasts, also where it is enough to
// remove images. Static pods run all the same: only addons can wait for it in vain.
func nodePressure(e *Evidence) []Finding {
	last, match := e.lastSaid(evicting)
	if match == nil {
		return nil
	}
	if enough, found := e.lastSaid(evictedNobody); found != nil && !enough.At.Before(last.At) {
		return nil
	}
	level := Warning
	if e.Addons {
		level = e.again(evicting, last)
	}
	see := "df -h /var/lib/kubelet"
	if match[1] == "memory" {
		see = "free -m"
	}
	return []Finding{{Level: level, What: fmt.Sprintf("the kubelet evicts pods and takes no new ones: too little %s is left", match[1]), See: see, Excerpt: excerpt(last.Text)}}
}

// kubeletStopped is certain of a kubelet that has run in this time: init itself may not
// have started it yet.
func kubeletStopped(e *Evidence) []Finding {
	unit := e.Units[kubeletUnit]
	if unit.Load != "loaded" || unit.Active != "inactive" && unit.Active != "failed" {
		return nil
	}
	level := Warning
	if len(e.Journal[kubeletUnit]) > 0 {
		level = Error
	}
	return []Finding{{Level: level, What: fmt.Sprintf("kubelet.service does not run (%s, %s)", unit.Active, unit.Result), See: kubeletLog}}
}
