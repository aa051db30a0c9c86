package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/machine"
	"bootstrap/phases/runtime"
)

// sayAgain is within what time the kubelet tries again what fails, and says so.
const sayAgain = 45 * time.Second

// What the kubelet and the runtime say of pods that do not start.
var (
	syncFailed  = regexp.MustCompile(`"Error syncing pod, skipping" err="\[?failed to \\"(\w+)\\" for \\"([^\\"]+)\\" with (\w+): (.+)" pod="([^"]+)" podUID="([^"]+)"`)
	mountFailed = regexp.MustCompile(`MountVolume\.SetUp failed for volume "([^"]+)".* pod "([^"]+)" \(UID: "([^"]+)"\) : (.+)`)
	pauseImage  = regexp.MustCompile(`failed to get sandbox image "([^"]+)": (.+)`)
	anyImage    = regexp.MustCompile(`image "([^"]+)"`)
	pullFailed  = regexp.MustCompile(`.*failed to (?:do request: \w+ "[^"]+"|resolve (?:reference "[^"]+"|image)|pull and unpack image "[^"]+"): (.+)`)
	hostPath    = regexp.MustCompile(`hostPath type check failed: (\S+) is not an? (.+)`)
	cannotRun   = regexp.MustCompile(`exec "?(/[^\s:"]+)"?: (exec format error|permission denied|no such file or directory)|exec: "([^"]+)": ((?:stat [^:]+: )?(?:exec format error|permission denied|no such file or directory|executable file not found in \$PATH|is a directory))`)
	cniMissing  = regexp.MustCompile(`failed to find plugin "([^"]+)" in path \[([^\]]*)\]`)
	cniInvalid  = regexp.MustCompile(`failed to load CNI config(?: list)? file.*`)
	pullMayPass = regexp.MustCompile(`(?i)deadline exceeded|time(?:d )?out|429|too ?many ?requests|rate limit|connection reset|temporary|50[234] `)
	notAdmitted = regexp.MustCompile(`"Pod admission denied" podUID="([^"]+)" pod="([^"]+)" reason="([^"]*)" message="(.*?)"(?: operation=|\s*$)`)
	// After each start, the kubelet makes no container before it has seen the Services.
	kubeletBegins = regexp.MustCompile(`services have not yet been read at least once`)
	// With its sandbox or container gone, as when a component is started anew, the kubelet makes others.
	mayPass = regexp.MustCompile(`(?i)deadline exceeded|is reserved for|timed out|timeout|canceled|cache|find (?:shim for )?sandbox|sandbox container \S+ is not running|try to find container|ttrpc: closed|temporarily unavailable|cannot allocate memory`)
)

// podRules are about pods whose sandbox, image or container does not come up.
func podRules() map[string]Rule {
	return map[string]Rule{
		"pause-image-missing":   {Cause: syncCause(says(pauseImage), pauseImageMissing)},
		"image-missing":         {Cause: syncCause(ofKind("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"), imageMissing)},
		"image-cannot-run":      {Cause: ofFirstComponent((*Evidence).imageCannotRun)},
		"container-oom-killed":  {Cause: ofFirstComponent((*Evidence).oomKilled)},
		"host-path-missing":     {Cause: syncCause(says(hostPath), hostPathMissing)},
		"cni-config-invalid":    {Cause: cniConfigInvalid},
		"container-not-created": {Cause: syncCause(ofKind("CreateContainerError", "CreateContainerConfigError", "RunContainerError"), containerNotCreated)},
		"pod-not-admitted":      {Cause: podNotAdmitted},
		"pod-not-created":       {Cause: syncCause(ofKind("CreatePodSandboxError"), podNotCreated)},
	}
}

// syncFailure is why the kubelet could not bring a pod up when it last tried.
type syncFailure struct {
	pod, uid  string // namespace/name
	container string // empty if it is about all of the pod
	kind      string // ErrImagePull, CreatePodSandboxError, ...
	message   string
	at        time.Time
	static    bool // of the control plane, by its present manifest; or of the user of a standalone kubelet
}

// failedSync gives the last failure that matches and still holds, of the pods that init
// waits for; those of the control plane go first.
func (e *Evidence) failedSync(match func(syncFailure) bool) (syncFailure, bool) {
	var found []syncFailure
	for _, l := range slices.Backward(e.Journal[kubeletUnit]) {
		if e.Now.Sub(l.At) > sayAgain {
			break
		}
		if f, ok := parseSyncFailure(l); ok && !kubeletBegins.MatchString(f.message) && e.holds(&f) && match(f) {
			found = append(found, f)
		}
	}
	if i := slices.IndexFunc(found, func(f syncFailure) bool { return f.static }); i >= 0 {
		return found[i], true
	}
	if len(found) == 0 {
		return syncFailure{}, false
	}
	return found[0], true
}

func parseSyncFailure(l machine.LogLine) (syncFailure, bool) {
	if m := syncFailed.FindStringSubmatch(l.Text); m != nil {
		f := syncFailure{kind: m[3], message: withoutFrame(unquoted(m[4])), pod: m[5], uid: m[6], at: l.At}
		if m[1] == "StartContainer" {
			f.container = m[2]
		}
		return f, true
	}
	if m := mountFailed.FindStringSubmatch(l.Text); m != nil {
		return syncFailure{kind: "MountVolume", message: m[4], pod: m[2], uid: m[3], at: l.At}, true
	}
	return syncFailure{}, false
}

// place gives the failure of a volume, in which the kubelet leaves it out, the pod's namespace.
func (f *syncFailure) place(s Settings) {
	if strings.Contains(f.pod, "/") {
		return
	}
	namespace := "kube-system"
	if of, name, ok := strings.Cut(s.Pod, "/"); ok && name == f.pod {
		namespace = of
	}
	f.pod = namespace + "/" + f.pod
}

// addonPods begin with these names. Their failures are not certain: init may be about
// to replace them.
var addonPods = []string{"kube-system/kube-proxy-", "kube-system/kube-flannel-ds-", "kube-system/coredns-"}

// holds tells whether a failure is of a pod that init waits for, in its present form,
// and nothing of the pod has come up since.
func (e *Evidence) holds(f *syncFailure) bool {
	f.place(e.Settings)
	namespace, name, _ := strings.Cut(f.pod, "/")
	component := strings.TrimSuffix(name, "-"+e.Settings.NodeName)
	uid := e.StaticPods[name]
	f.static = namespace == "kube-system" && uid != "" && uid == f.uid && slices.Contains(e.Settings.Components, component) ||
		slices.Contains(e.Settings.StaticPods, f.pod)
	if f.pod == e.Settings.Pod {
		f.static = (uid == "" || uid == f.uid) && !slices.Contains(e.Settings.Replaced, f.uid)
	}
	addon := slices.ContainsFunc(addonPods, func(prefix string) bool { return strings.HasPrefix(f.pod, prefix) })
	if !f.static && !addon {
		return false
	}
	return !slices.ContainsFunc(e.Pods, func(p runtime.Sandbox) bool {
		return p.Namespace == namespace && p.Name == name && p.UID == f.uid && isUpSince(p, f.at, f.container)
	})
}

// isUpSince tells whether the container, or the sandbox if it is about that, came up
// after a moment, be it that it has ended again.
func isUpSince(p runtime.Sandbox, at time.Time, container string) bool {
	if container == "" && p.Ready && p.Created.After(at) {
		return true
	}
	return slices.ContainsFunc(p.Containers, func(c runtime.Container) bool { return c.Started.After(at) })
}

// finding is certain for the control plane's own pods.
func (f syncFailure) finding(format string, args ...any) Finding {
	level := Warning
	if f.static {
		level = Error
	}
	return Finding{Level: level, What: said(fmt.Sprintf(format, args...)), See: kubeletLog, Excerpt: excerpt(f.message)}
}

// pull is a finding about a registry, which may be busy.
func (f syncFailure) pull(format string, args ...any) Finding {
	found := f.finding(format, args...)
	if pullMayPass.MatchString(f.message) {
		found.Level = Warning
	}
	return found
}

func ofKind(kinds ...string) func(syncFailure) bool {
	return func(f syncFailure) bool { return slices.Contains(kinds, f.kind) }
}

func says(pattern *regexp.Regexp) func(syncFailure) bool {
	return func(f syncFailure) bool { return pattern.MatchString(f.message) }
}

// syncCause is what the last failure of a kind, or with certain words, is the proof of.
func syncCause(match func(syncFailure) bool, finding func(*Evidence, syncFailure) Finding) func(*Evidence) []Finding {
	return func(e *Evidence) []Finding {
		f, ok := e.failedSync(match)
		if !ok {
			return nil
		}
		return []Finding{finding(e, f)}
	}
}

func pauseImageMissing(_ *Evidence, f syncFailure) Finding {
	match := pauseImage.FindStringSubmatch(f.message)
	return f.pull("%s does not start: the image that pods start with, %s, is not here and can't be pulled: %s", f.pod, match[1], pullReason(match[2]))
}

func imageMissing(_ *Evidence, f syncFailure) Finding {
	image := "its image"
	if m := anyImage.FindStringSubmatch(f.message); m != nil {
		image = m[1]
	}
	return f.pull("%s does not start: %s is not here and can't be pulled: %s", f.pod, image, pullReason(f.message))
}

// pullReason is what stands at the end of what the runtime says of a pull.
func pullReason(message string) string {
	if m := pullFailed.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	return message
}

func (e *Evidence) imageCannotRun(name string) []Finding {
	c := e.ended(name)
	if c == nil || len(c.Log) > 1 { // it did run
		return nil
	}
	line, match := lastMatch(append(texts(c.Log), c.Message), cannotRun)
	if match == nil {
		return nil
	}
	program, reason := match[1]+match[3], match[2]+match[4]
	what := fmt.Sprintf("%s does not start: %s in the image %s can't be run: %s", name, program, c.Image, reason)
	if reason == "exec format error" {
		what += " (it is for another processor, or damaged)"
	}
	same := func(c runtime.Container) bool { return cannotRun.MatchString(c.Message) || logs(cannotRun)(c) }
	return proved(e.certainty(name, same), what, seePods, line)
}

const seePods = "bootstrap pods -a"

// oomKilled is certain the second time: the machine may have been short of memory once.
func (e *Evidence) oomKilled(name string) []Finding {
	if c := e.ended(name); c == nil || !oomKilled(*c) {
		return nil
	}
	times := 0
	for _, c := range e.tries(name) {
		if oomKilled(c) && !e.isOver(c) {
			times++
		}
	}
	if times < 2 {
		return proved(Warning, name+" was killed for want of memory", seePods)
	}
	return proved(Error, fmt.Sprintf("%s is killed for want of memory each time it is started (%d times)", name, times), seePods)
}

func oomKilled(c runtime.Container) bool { return c.Reason == "OOMKilled" }

// hostPathMissing is certain the second time, which comes after a second or two.
func hostPathMissing(e *Evidence, f syncFailure) Finding {
	match := hostPath.FindStringSubmatch(f.message)
	found := f.finding("%s does not start: %s, which it mounts, is no %s or is not there", f.pod, match[1], match[2])
	found.See = "ls -ld " + match[1]
	if f.static {
		found.Level = e.again(hostPath, machine.LogLine{At: f.at})
	}
	return found
}

func cniPluginMissing(_ *Evidence, f syncFailure) Finding {
	match := cniMissing.FindStringSubmatch(f.message)
	found := f.finding("%s gets no network: the CNI plugin %s is not in %s", f.pod, match[1], match[2])
	found.See = "ls -l " + match[2]
	return found
}

func cniConfigInvalid(e *Evidence) []Finding {
	if line, match := e.recent(containerdUnit, sayAgain, cniInvalid); match != nil && e.Settings.OwnNetwork {
		return proved(Warning, said("the runtime can't read the pod network's configuration: "+unquoted(match[0])), "ls -l /etc/cni/net.d", line.Text)
	}
	return nil
}

// containerNotCreated is not certain where the runtime was only slow.
func containerNotCreated(_ *Evidence, f syncFailure) Finding {
	found := f.finding("the container %s of %s can't be made: %s", f.container, f.pod, f.message)
	if mayPass.MatchString(f.message) {
		found.Level = Warning
	}
	return found
}

// podNotAdmitted is certain: the kubelet does not try again.
func podNotAdmitted(e *Evidence) []Finding {
	for _, l := range slices.Backward(e.Journal[kubeletUnit]) {
		m := notAdmitted.FindStringSubmatch(l.Text)
		if m == nil || m[2] != e.Settings.Pod || slices.Contains(e.Settings.Replaced, m[1]) || l.At.Before(e.Since) {
			continue
		}
		return provedByKubelet(Error, fmt.Sprintf("the kubelet does not admit %s: %s: %s", m[2], m[3], m[4]), l.Text)
	}
	return nil
}

// podNotCreated is never certain, as it is about what no other entry knows.
func podNotCreated(_ *Evidence, f syncFailure) Finding {
	found := f.finding("%s does not start: %s", f.pod, f.message)
	found.Level = Warning
	return found
}

// unquoted takes off what logs put before quotes that stand inside of quotes.
func unquoted(text string) string {
	return strings.Trim(strings.ReplaceAll(text, `\`, ""), `" `)
}

var frame = regexp.MustCompile(`^(?:Failed to (?:create|generate) sandbox(?: config)? for pod "[^"]+": )?(?:rpc error: code = \w+ desc = )?(?:failed to start sandbox "[^"]+": )?`)

// withoutFrame leaves out what stands before every reason.
func withoutFrame(message string) string { return frame.ReplaceAllString(message, "") }
