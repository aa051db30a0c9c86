package diagnose

import (
	"fmt"
	"maps"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/lazyregexp"
	"bootstrap/phases/machine"
	"bootstrap/phases/pki"
	"bootstrap/phases/runtime"
)

// Settings are what the config asks of the machine, as far as evidence is judged by it.
type Settings struct {
	NodeName         string
	AdvertiseAddress netip.Addr
	AddressSettled   bool   // a cluster was made with it here, and can't have another
	Endpoint         string // host:port for all nodes; empty without
	ServiceSubnets   []netip.Prefix
	PodSubnets       []netip.Prefix
	EtcdDataDir      string   // empty: etcd is elsewhere
	ExternalEtcd     []string // URLs
	CertificatesDir  string
	StaticPodDir     string
	RuntimeEndpoint  string   // unix:///path
	Components       []string // the static pods of this node, in the order they need each other
	Pod              string   // namespace/name of a static pod of the user's, if it is that which is looked at: Components are then its containers
	Manifest         string   // the file that Pod comes from
	Replaced         []string // UIDs that Pod had by what stood in the file before
	OwnNetwork       bool     // init brings the pod network
	Standalone       bool     // there is no control plane, nor is there to be one
	StaticPods       []string // namespace/name of those that are waited for, beside the components
}

// Evidence is a machine while a control plane runs on it, or should.
type Evidence struct {
	Machine

	Since   time.Time                    // what ended before is of no interest
	Waits   time.Time                    // when the present wait began; zero without one
	Addons  bool                         // are waited for: they have the form that is wanted
	Units   map[string]machine.UnitState // containerd.service, kubelet.service
	Journal map[string][]machine.LogLine // of those, since the run began; oldest first

	RuntimeError  string            // why the runtime does not answer; empty if it does
	RuntimeSilent time.Duration     // for how long it has taken connections and not answered, as far as looks tell
	Pods          []runtime.Sandbox // by name, then the newest first
	StaticPods    map[string]string // UIDs of the static pods on disk, by the pods' names
	Stopped       map[int]string    // processes that a signal has stopped, with their cgroups as the kernel lists them
	Listening     []string          // the TCP ports of this machine at which anybody listens

	API  Server // the API server, asked as super-admin at its own address
	Etcd Server // the member on this node, at its metrics port

	Certificates []Certificate   // those that this node uses, also in kubeconfigs
	Files        []machine.Drift // those that bootstrap wrote, and that are not as they were written
	Manifests    []Manifest      // what lies in the static pod directory
}

// texts are what was written, without the times.
func texts(lines []runtime.LogLine) []string {
	all := make([]string, 0, len(lines))
	for _, l := range lines {
		all = append(all, l.Text)
	}
	return all
}

// logSince is what a container wrote no earlier than that: of what still runs, older lines
// may tell of what is over.
func logSince(c runtime.Container, earliest time.Time) []string {
	for i, l := range slices.Backward(c.Log) {
		if !l.At.IsZero() && l.At.Before(earliest) {
			return texts(c.Log[i+1:])
		}
	}
	return texts(c.Log)
}

// Dial is how a TCP connection went.
type Dial string

// What can come of it.
const (
	NotTried Dial = ""
	Open     Dial = "open"
	Refused  Dial = "refused"  // nobody listens, or a firewall says no
	TimedOut Dial = "timeout"  // no answer at all: packets are dropped
	NoRoute  Dial = "no route" // or the network is down
)

// Server is how a server of ours answers.
type Server struct {
	Address    string // host:port
	Dial       Dial
	Error      string        // why no answer came after that
	Unanswered time.Duration // for how long it is known to take connections without an answer
	Status     int           // of /readyz; 0 without an answer
	Failed     []string      // the checks of /livez and /readyz that fail
}

// Certificate is a certificate file, or one inside a kubeconfig.
type Certificate struct {
	Path     string     `json:"path"`
	Use      string     `json:"use"` // what uses it: kube-apiserver, etcd, kubelet, ...
	NotAfter time.Time  `json:"expires,omitzero"`
	Problem  pki.Reason `json:"problem,omitempty"` // empty if it serves
	Detail   string     `json:"detail,omitempty"`  // such as when it expired, or the name that it lacks

	NotBefore time.Time `json:"-"`
}

// Manifest is a file in the static pod directory.
type Manifest struct {
	Path  string
	Name  string           // namespace/name of its Pod; empty if it is none
	Error string           // why it is no valid Pod, with the line where one can be told
	Ports []netip.AddrPort // on the host, of any protocol but UDP; the address is unspecified where it is any
	Ours  bool

	Changed time.Time
}

// server is how a component answers; not tried for those that are not asked.
func (e *Evidence) server(component string) Server {
	return map[string]Server{"etcd": e.Etcd, "kube-apiserver": e.API}[component]
}

// upFor tells whether a container has run for so long; on a machine where processes wait
// for a CPU, it must have run longer.
func (e *Evidence) upFor(c runtime.Container, d time.Duration) bool {
	return c.Running && float64(e.Now.Sub(c.Started)) >= float64(d)*max(1, e.Crowding)
}

// container gives the newest try of a container of a static pod, the zero value without.
func (e *Evidence) container(component string) runtime.Container {
	if tries := e.tries(component); len(tries) > 0 {
		return tries[0]
	}
	return runtime.Container{}
}

// tries are all tries of the container of a static pod that are known, newest first.
func (e *Evidence) tries(component string) []runtime.Container {
	var all []runtime.Container
	for _, p := range e.Pods {
		if p.FullName() == e.Settings.podOf(component) && !e.outdated(p) {
			all = append(all, p.Containers...)
		}
	}
	all = slices.DeleteFunc(all, func(c runtime.Container) bool { return c.Name != component })
	slices.SortStableFunc(all, func(a, b runtime.Container) int { return b.Started.Compare(a.Started) })
	return all
}

// outdated pods are of a manifest that has been replaced: what ailed them may be mended.
func (e *Evidence) outdated(p runtime.Sandbox) bool {
	uid := e.StaticPods[p.Name]
	return uid != "" && (e.Settings.Pod != "" || p.Namespace == "kube-system") && p.UID != uid
}

// podOf is namespace/name of the pod that a component's container is in.
func (s Settings) podOf(component string) string {
	if s.Pod != "" {
		return s.Pod
	}
	return "kube-system/" + component + "-" + s.NodeName
}

// ended is the newest try that has failed, if the container does not run now or has
// only just been started again; nil without.
func (e *Evidence) ended(component string) *runtime.Container {
	for _, c := range e.tries(component) {
		switch {
		case e.isOver(c):
			return nil // what ended it may be mended, and the kubelet waits to try again
		case failed(c):
			return &c
		case c.Running && e.Now.Sub(c.Started) > steady:
			return nil
		}
	}
	return nil
}

// isOver: it ended before what is looked at began.
func (e *Evidence) isOver(c runtime.Container) bool {
	return !c.Finished.IsZero() && c.Finished.Before(e.Since)
}

func failed(c runtime.Container) bool { return c.Exited && c.ExitCode != 0 }

// certainty of what ended a component: while another try runs, it may be the last that
// failed, unless two have failed for it.
func (e *Evidence) certainty(component string, forIt func(runtime.Container) bool) Level {
	return certainIf(!e.container(component).Running || e.failures(component, forIt) > 1)
}

// failures counts the tries that failed for one reason, of those that are not over.
func (e *Evidence) failures(component string, forIt func(runtime.Container) bool) int {
	other := func(c runtime.Container) bool { return !failed(c) || e.isOver(c) || !forIt(c) }
	return len(slices.DeleteFunc(e.tries(component), other))
}

// logs is for certainty: what tries have in common that wrote such a line.
func logs(pattern lazyregexp.Regexp) func(runtime.Container) bool {
	return func(c runtime.Container) bool {
		_, match := lastMatch(texts(c.Log), pattern)
		return match != nil
	}
}

// Remember adds the failed tries that an earlier look saw and that are removed since, as
// the kubelet keeps one; and for how long a server or the runtime was silent then. nil is no earlier look.
func (e *Evidence) Remember(earlier *Evidence) {
	if earlier == nil {
		return
	}
	between := e.Now.Sub(earlier.Now)
	e.API.remember(earlier.API, between)
	e.Etcd.remember(earlier.Etcd, between)
	if e.runtimeSilent() && earlier.runtimeSilent() {
		e.RuntimeSilent = earlier.RuntimeSilent + between
	}
	for i := range e.Pods {
		p := &e.Pods[i]
		for _, old := range earlier.Pods {
			if old.UID == p.UID && old.Created.Equal(p.Created) {
				remember(p, old.Containers)
			}
		}
	}
}

func (s *Server) remember(earlier Server, between time.Duration) {
	if s.Unanswered > 0 && earlier.Unanswered > 0 {
		s.Unanswered = earlier.Unanswered + between
	}
}

func remember(p *runtime.Sandbox, tries []runtime.Container) {
	for _, c := range tries {
		known := slices.ContainsFunc(p.Containers, func(k runtime.Container) bool { return k.Name == c.Name && k.Started.Equal(c.Started) })
		if failed(c) && !known {
			p.Containers = append(p.Containers, c)
		}
	}
}

// After is the evidence without what was logged or ended before a moment.
func (e *Evidence) After(moment time.Time) *Evidence {
	later := *e
	later.Since, later.Journal = moment, map[string][]machine.LogLine{}
	for unit, lines := range e.Journal {
		i := slices.IndexFunc(lines, func(l machine.LogLine) bool { return !l.At.Before(moment) })
		if i >= 0 {
			later.Journal[unit] = lines[i:]
		}
	}
	return &later
}

// waited is for how long the present wait goes on.
func (e *Evidence) waited() time.Duration {
	if e.Waits.IsZero() {
		return 0
	}
	return e.Now.Sub(e.Waits)
}

// steady is how long a container runs before what ended its last try counts as over.
const steady = 10 * time.Second

// logged gives the last line in which what ended the component's container stands.
func (e *Evidence) logged(component string, pattern lazyregexp.Regexp) (line string, match []string) {
	if c := e.ended(component); c != nil {
		return lastMatch(texts(c.Log), pattern)
	}
	return "", nil
}

func lastMatch(lines []string, pattern lazyregexp.Regexp) (line string, match []string) {
	for _, line := range slices.Backward(lines) {
		if m := pattern().FindStringSubmatch(line); m != nil {
			return line, m
		}
	}
	return "", nil
}

// recent gives the last line of a unit's journal that matches and is no older than
// age: what was said long ago may be over.
func (e *Evidence) recent(unit string, age time.Duration, pattern lazyregexp.Regexp) (machine.LogLine, []string) {
	for _, l := range slices.Backward(e.Journal[unit]) {
		if e.Now.Sub(l.At) > age {
			break
		}
		if m := pattern().FindStringSubmatch(l.Text); m != nil {
			return l, m
		}
	}
	return machine.LogLine{}, nil
}

// Crowded tells whether processes wait for a CPU longer than they have it.
func Crowded(crowding float64) bool { return crowding > 2 }

// isSlow tells whether what has been silent may be at work all the same: on a busy machine it may take long to
// answer, and says something in its log meanwhile, which nothing does that hangs.
func (e *Evidence) isSlow(silent time.Duration, logged time.Time) bool {
	return Crowded(e.Crowding) && min(silent, e.Now.Sub(logged)) < runtime.Patience
}

func last[T any](list []T) (one T) {
	if len(list) > 0 {
		one = list[len(list)-1]
	}
	return one
}

// summary begins with what the daemons say of what is awaited. It says of each unit and container that
// is not up how it is, and ends with the last error of the kubelet.
func (e *Evidence) summary() []string {
	lines := e.said()
	if Crowded(e.Crowding) {
		lines = append(lines, fmt.Sprintf("the machine is busy: %.1f processes for each CPU; a longer --timeout may be enough", e.Crowding))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Units)) {
		if u := e.Units[name]; u.Active != "active" {
			lines = append(lines, fmt.Sprintf("%s is %s (%s)", name, u.Active, u.Result))
		}
	}
	if e.RuntimeError != "" {
		lines = append(lines, "container runtime: "+e.RuntimeError)
	}
	for _, name := range e.Settings.Components {
		if c := e.ended(name); c != nil {
			lines = append(lines, fmt.Sprintf("%s ended with exit code %d: %s", name, c.ExitCode, runtime.LastWords(c.Log)))
		}
	}
	if line, match := e.recent(kubeletUnit, time.Minute, daemonError); match != nil && !slices.Contains(lines, line.Text) {
		lines = append(lines, line.Text)
	}
	return lines
}

// said are the newest errors of the kubelet and of the runtime that name a pod, this node or an address
// that is awaited: what needs nothing of the others comes first. That a container is tried again later, or that
// a kubelet has only begun, tells nothing of why.
func (e *Evidence) said() (lines []string) {
	var names []string
	for _, component := range e.Settings.Components {
		names = append(names, path.Base(e.Settings.podOf(component)))
	}
	names = append(names, e.Settings.StaticPods...)
	if e.Addons {
		names = append(names, addonPods...)
	}
	names = append(names, e.Settings.AdvertiseAddress.String(), e.Settings.Endpoint, e.Settings.NodeName)
	for _, unit := range []string{kubeletUnit, containerdUnit} {
		for _, name := range names {
			line, match := e.recent(unit, sayAgain, lazyregexp.New(daemonError().String()+`.*`+regexp.QuoteMeta(name)))
			if name != "" && match != nil && !kubeletBegins().MatchString(line.Text) && !strings.Contains(line.Text, "CrashLoopBackOff") {
				lines = append(lines, line.Text)
				break
			}
		}
	}
	return lines
}

// daemonError is the form of the errors of the kubelet, save those of a start, and of containerd.
var daemonError = lazyregexp.New(`(?:^E\d{4} |level=(?:error|fatal) )`)
