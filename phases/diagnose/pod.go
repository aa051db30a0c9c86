package diagnose

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/lazyregexp"
	"bootstrap/phases/machine"
	"bootstrap/phases/runtime"
)

// sayAgain is within what time the kubelet tries again what fails, and says so.
const sayAgain = 45 * time.Second

// What the kubelet and the runtime say of pods that do not start.
var (
	syncFailed  = lazyregexp.New(`"Error syncing pod, skipping" err="\[?failed to \\"(\w+)\\" for \\"([^\\"]+)\\" with (\w+): (.+)" pod="([^"]+)" podUID="([^"]+)"`)
	mountFailed = lazyregexp.New(`MountVolume\.SetUp failed for volume "([^"]+)".* pod "([^"]+)" \(UID: "([^"]+)"\) : (.+)`)
	pauseImage  = lazyregexp.New(`failed to get sandbox image`)
	anyImage    = lazyregexp.New(`image "([^"]+)"`)
	pullFailed  = lazyregexp.New(`.*failed to (?:do request: \w+ "[^"]+"|resolve (?:reference "[^"]+"|image)|pull and unpack image "[^"]+"): (.+)`)
	hostPath    = lazyregexp.New(`hostPath type check failed: (\S+) is not an? (.+)|(?:^|: )(?:open|mkdir) (/\S+): (no such file or directory|not a directory)$`)
	cannotRun   = lazyregexp.New(`exec "?(/[^\s:"]+)"?: (exec format error|permission denied|no such file or directory)|exec: "([^"]+)": ((?:stat [^:]+: )?(?:exec format error|permission denied|no such file or directory|executable file not found in \$PATH|is a directory))`)
	cniMissing  = lazyregexp.New(`failed to find plugin "([^"]+)" in path \[([^\]]*)\]`)
	cniInvalid  = lazyregexp.New(`failed to load CNI config(?: list)? file.*`)
	pullMayPass = lazyregexp.New(`(?i)deadline exceeded|time(?:d )?out|429|too ?many ?requests|rate limit|connection reset|temporary|50[234] `)
	notAdmitted = lazyregexp.New(`"Pod admission denied" podUID="([^"]+)" pod="([^"]+)" reason="([^"]*)" message="(.*?)"(?: operation=|\s*$)`)
	// What the API server says to a mirror pod.
	noNamespace  = lazyregexp.New(`^namespaces "([^"]+)" not found$`)
	refusedByAPI = lazyregexp.New(`^pods .* is (?:forbidden|invalid): `)
	lastingNo    = lazyregexp.New(`exceeded quota|violates PodSecurity`)
	// After each start, the kubelet makes no container before it has seen the Services.
	kubeletBegins = lazyregexp.New(`services have not yet been read at least once`)
	// With its sandbox or container gone, as when a component is started anew, the kubelet makes others.
	mayPass = lazyregexp.New(`(?i)deadline exceeded|is reserved for|timed out|timeout|canceled|cache|find (?:shim for )?sandbox|sandbox container \S+ is not running|try to find container|ttrpc: closed|temporarily unavailable|cannot allocate memory`)
)

// podRules are about pods whose sandbox, image or container does not come up.
func podRules() map[string]Rule {
	return map[string]Rule{
		"pause-image-missing": {Cause: syncCause(says(pauseImage), imageMissing)},
		"image-missing":       {Cause: syncCause(ofKind("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"), imageMissing)},
		"image-cannot-run":    {Cause: ofFirstComponent((*Evidence).imageCannotRun)},
		"container-oom-killed": {Cause: func(e *Evidence) Findings {
			return append(ofFirstComponent((*Evidence).oomKilled)(e), addonOOMKilled(e)...)
		}},
		"cni-config-invalid":    {Cause: cniConfigInvalid},
		"container-not-created": {Cause: syncCause(ofKind("CreateContainerError", "CreateContainerConfigError", "RunContainerError"), containerNotCreated)},
		"pod-not-admitted":      {Cause: podNotAdmitted},
		"mirror-pod-refused":    {Cause: mirrorRefused},
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
func (e *Evidence) failedSync(match func(syncFailure) bool) (last syncFailure, found bool) {
	for _, l := range slices.Backward(e.Journal[kubeletUnit]) {
		if e.Now.Sub(l.At) > sayAgain {
			break
		}
		f, ok := e.Settings.syncFailure(l)
		f.static = ok && e.isStatic(f)
		if !ok || kubeletBegins().MatchString(f.message) || !e.holds(f) || !match(f) {
			continue
		}
		if f.static {
			return f, true
		}
		if !found {
			last, found = f, true
		}
	}
	return last, found
}

func (s Settings) syncFailure(l machine.LogLine) (syncFailure, bool) {
	if m := syncFailed().FindStringSubmatch(l.Text); m != nil {
		f := syncFailure{kind: m[3], message: frame().ReplaceAllString(unquoted(m[4]), ""), pod: m[5], uid: m[6], at: l.At}
		if m[1] == "StartContainer" {
			f.container = m[2]
		}
		return f, true
	}
	if m := mountFailed().FindStringSubmatch(l.Text); m != nil {
		namespace := "kube-system" // the kubelet leaves it out
		if of, name, _ := strings.Cut(s.Pod, "/"); name == m[2] {
			namespace = of
		}
		return syncFailure{kind: "MountVolume", message: m[4], pod: namespace + "/" + m[2], uid: m[3], at: l.At}, true
	}
	return syncFailure{}, false
}

// frame is what stands before every reason.
var frame = lazyregexp.New(`^(?:Failed to (?:create|generate) sandbox(?: config)? for pod "[^"]+": )?(?:rpc error: code = \w+ desc = )?(?:failed to start sandbox "[^"]+": )?`)

// addonPods begin with these names. Their failures are not certain: init may be about
// to replace them.
var addonPods = []string{"kube-system/kube-proxy-", "kube-system/kube-flannel-ds-", "kube-system/coredns-"}

// isStatic tells whether a failure is of a static pod that is waited for, in its present form.
func (e *Evidence) isStatic(f syncFailure) bool {
	namespace, name, _ := strings.Cut(f.pod, "/")
	uid := e.StaticPods[name]
	if f.pod == e.Settings.Pod {
		return (uid == "" || uid == f.uid) && !slices.Contains(e.Settings.Replaced, f.uid)
	}
	component := strings.TrimSuffix(name, "-"+e.Settings.NodeName)
	return namespace == "kube-system" && uid != "" && uid == f.uid && slices.Contains(e.Settings.Components, component) ||
		slices.Contains(e.Settings.StaticPods, f.pod)
}

// holds tells whether a failure is of a pod that init waits for, and nothing of the pod has
// come up since.
func (e *Evidence) holds(f syncFailure) bool {
	addon := slices.ContainsFunc(addonPods, func(prefix string) bool { return strings.HasPrefix(f.pod, prefix) })
	if !f.static && !addon || addon && f.container != "" && e.hasNoSandbox(f.uid) {
		return false
	}
	return !slices.ContainsFunc(e.Pods, func(p runtime.Sandbox) bool {
		return p.FullName() == f.pod && p.UID == f.uid && isUpSince(p, f.at, f.container)
	})
}

// hasNoSandbox tells of a pod that was deleted, or that begins anew: what was said of its containers is over.
func (e *Evidence) hasNoSandbox(uid string) bool {
	is := func(p runtime.Sandbox) bool { return p.UID == uid && p.Ready }
	return e.RuntimeError == "" && !slices.ContainsFunc(e.Pods, is)
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
func (f syncFailure) finding(format string, args ...any) Findings {
	return finding(certainIf(f.static), format, args...).see(kubeletLog).proof(f.message)
}

// unsureIf takes away what makes a failure certain, where its reason may pass.
func (f syncFailure) unsureIf(is bool) syncFailure {
	f.static = f.static && !is
	return f
}

func ofKind(kinds ...string) func(syncFailure) bool {
	return func(f syncFailure) bool { return slices.Contains(kinds, f.kind) }
}

func says(pattern lazyregexp.Regexp) func(syncFailure) bool {
	return func(f syncFailure) bool { return pattern().MatchString(f.message) }
}

// syncCause is what the last failure of a kind, or with certain words, is the proof of.
func syncCause(match func(syncFailure) bool, find func(*Evidence, syncFailure) Findings) func(*Evidence) Findings {
	return func(e *Evidence) Findings {
		f, ok := e.failedSync(match)
		if !ok {
			return nil
		}
		return find(e, f)
	}
}

func imageMissing(_ *Evidence, f syncFailure) Findings {
	image := "its image"
	if m := anyImage().FindStringSubmatch(f.message); m != nil {
		image = m[1]
	}
	reason := f.message
	if m := pullFailed().FindStringSubmatch(f.message); m != nil {
		reason = m[1] // what the runtime says last
	}
	return f.unsureIf(pullMayPass().MatchString(f.message)).
		finding("%s does not start: %s is not here and can't be pulled: %s", f.pod, image, reason)
}

func (e *Evidence) imageCannotRun(name string) Findings {
	c := e.ended(name)
	if c == nil || len(c.Log) > 1 { // it did run
		return nil
	}
	line, match := lastMatch(append(texts(c.Log), c.Message), cannotRun)
	if match == nil {
		return nil
	}
	program, reason := match[1]+match[3], match[2]+match[4]
	if reason == "exec format error" {
		reason += " (it is for another processor, or damaged)"
	}
	same := func(c runtime.Container) bool { return cannotRun().MatchString(c.Message) || logs(cannotRun)(c) }
	return finding(e.certainty(name, same), "%s does not start: %s in the image %s can't be run: %s", name, program, c.Image, reason).
		see(seePods).proof(line)
}

const seePods = "bootstrap pods -a"

// oomKilled is certain the second time: the machine may have been short of memory once.
func (e *Evidence) oomKilled(name string) Findings {
	killed := func(c runtime.Container) bool { return c.Reason == "OOMKilled" }
	if c := e.ended(name); c == nil || !killed(*c) {
		return nil
	}
	if times := e.failures(name, killed); times > 1 {
		return finding(Error, "%s is killed for want of memory each time it is started (%d times)", name, times).see(seePods)
	}
	return finding(Warning, "%s was killed for want of memory", name).see(seePods)
}

// addonOOMKilled is never certain: what an addon needs depends on what is asked of it.
func addonOOMKilled(e *Evidence) Findings {
	for _, c := range e.addonContainers(addonNames...) {
		if failed(c.Container) && c.Reason == "OOMKilled" {
			return finding(Warning, "%s was killed for want of memory", c.Name).see(seePods)
		}
	}
	return nil
}

// hostPathFailed leaves out the kubelet's own folders, which it makes for other reasons.
func hostPathFailed(f syncFailure) bool {
	match := hostPath().FindStringSubmatch(f.message)
	return f.kind == "MountVolume" && match != nil && !strings.HasPrefix(match[3], "/var/lib/kubelet/")
}

// hostPathMissing is certain the second time, which comes after a second or two.
func hostPathMissing(e *Evidence, f syncFailure) Findings {
	match := hostPath().FindStringSubmatch(f.message)
	f = f.unsureIf(!e.again(hostPath, f.at))
	if folder := path.Dir(match[3]); match[3] != "" { // it was to be made
		found := f.finding("%s does not start: %s, which it mounts, can't be made: %s", f.pod, match[3], match[4]).see("ls -ld " + folder)
		if match[4] == "not a directory" {
			return found.remedy("something above it is no folder: see namei -l %s", match[3])
		}
		return found.remedy("make the folder that it is to lie in: mkdir -p %s", folder)
	}
	return f.
		finding("%s does not start: %s, which it mounts, is no %s or is not there", f.pod, match[1], match[2]).see("ls -ld " + match[1])
}

func cniPluginMissing(_ *Evidence, f syncFailure) Findings {
	match := cniMissing().FindStringSubmatch(f.message)
	return f.finding("%s gets no network: the CNI plugin %s is not in %s", f.pod, match[1], match[2]).see("ls -l " + match[2])
}

func cniConfigInvalid(e *Evidence) Findings {
	line, match := e.recent(containerdUnit, sayAgain, cniInvalid)
	if match == nil || !e.Settings.OwnNetwork {
		return nil
	}
	return finding(Warning, "the runtime can't read the pod network's configuration: %s", unquoted(match[0])).see("ls -l /etc/cni/net.d").proof(line.Text)
}

// containerNotCreated is not certain where the runtime was only slow.
func containerNotCreated(_ *Evidence, f syncFailure) Findings {
	return f.unsureIf(mayPass().MatchString(f.message)).finding("the container %s of %s can't be made: %s", f.container, f.pod, f.message)
}

// podNotAdmitted is certain: the kubelet does not try again.
func podNotAdmitted(e *Evidence) Findings {
	for _, l := range slices.Backward(e.Journal[kubeletUnit]) {
		m := notAdmitted().FindStringSubmatch(l.Text)
		if m == nil || m[2] != e.Settings.Pod || slices.Contains(e.Settings.Replaced, m[1]) || l.At.Before(e.Since) {
			continue
		}
		return finding(Error, "the kubelet does not admit %s: %s: %s", m[2], m[3], m[4]).see(kubeletLog).proof(l.Text)
	}
	return nil
}

// Denial is what a kubelet said when it did not admit a pod.
type Denial struct {
	At  time.Time
	Why string
}

// Denials are the last of each pod, by namespace/name.
func Denials(journal []machine.LogLine) map[string]Denial {
	all := map[string]Denial{}
	for _, l := range journal {
		if m := notAdmitted().FindStringSubmatch(l.Text); m != nil {
			all[m[2]] = Denial{l.At, readable(m[3] + ": " + unquoted(m[4]))}
		}
	}
	return all
}

// mirrorRefused goes by the kubelet's last word about the mirror pod. It is certain where the kubelet will
// be told the same again. What else is missing may come yet, as a priority class does after the start.
func mirrorRefused(e *Evidence) Findings {
	said := lazyregexp.New(`"Failed creating a mirror pod(?: for)?" err="(.+)" pod="` + regexp.QuoteMeta(e.Settings.Pod) + `"`)
	line, match := e.recent(kubeletUnit, e.Now.Sub(e.Since), said)
	if match == nil {
		return nil
	}
	reason, found := unquoted(match[1]), Findings(nil)
	const what = "%s runs, and has no mirror pod: %s"
	if m := noNamespace().FindStringSubmatch(reason); m != nil {
		found = finding(Error, what, e.Settings.Pod, "the namespace "+m[1]+" is not there").
			remedy("kubectl create namespace %s; the kubelet tries again within two minutes", m[1])
	} else if refusedByAPI().MatchString(reason) { // else it did not answer
		found = finding(certainIf(lastingNo().MatchString(reason)), what, e.Settings.Pod, reason)
	}
	return found.see(kubeletLog).proof(line.Text)
}

// podNotCreated is never certain, as it is about what no other entry knows.
func podNotCreated(_ *Evidence, f syncFailure) Findings {
	return f.unsureIf(true).finding("%s does not start: %s", f.pod, f.message)
}

// unquoted takes off what logs put before quotes that stand inside of quotes.
func unquoted(text string) string {
	return strings.Trim(strings.ReplaceAll(text, `\`, ""), `" `)
}
