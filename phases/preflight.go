package phases

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"bootstrap/phases/bundle"
	"bootstrap/phases/config"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/phases/netfilter"
)

var preflight = Phase{
	Name:  "preflight",
	Short: "check that this machine can become what the config asks for, before anything is changed",
	Run:   runPreflight,
}

// PreflightError holds every finding that stops init. Nothing was changed.
type PreflightError struct{ Findings []error }

func (e *PreflightError) Error() string { return errors.Join(e.Findings...).Error() }

// Unwrap gives the findings, for their hints.
func (e *PreflightError) Unwrap() []error { return e.Findings }

func runPreflight(ctx context.Context, env *Env) error {
	if r, open := env.stoppedAt(); open {
		env.note("going on: the run before did not end; the last it did was in phase %s, with %s", r.By, r.Target)
	}
	seen := env.inspect(ctx, !env.Host.Plans(), env.checkUserKubeconfigs()...)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, what := range seen.Unread {
		env.warn("not looked at: %s", what)
	}
	var stops []error
	for _, f := range seen.Findings {
		if f.Level == diagnose.Error {
			stops = append(stops, &CauseError{Finding: f})
			continue
		}
		env.report(Event{Kind: Warning, Cause: f.ID, Message: fmt.Sprintf("%s: %s; %s", f.ID, f.What, f.Remedy)})
	}
	if len(stops) > 0 {
		return &PreflightError{Findings: stops}
	}
	return nil
}

// stoppedAt is the last that a run before did, if that did not end. What --fix has
// mended since is no run.
func (e *Env) stoppedAt() (host.Record, bool) {
	r, open := e.Host.Unfinished()
	if !open || r.Purpose != host.Mended {
		return r, open
	}
	for _, before := range slices.Backward(e.Host.Entries()) {
		if before.Purpose != host.Mended {
			return before, true
		}
	}
	return host.Record{}, false
}

// Inspection is what preflight has found.
type Inspection struct {
	Checks   int // how many things were looked for
	Findings []diagnose.Finding
	Unread   []string // what could not be looked at, each with its reason
}

// Inspect looks at this machine as init does before it changes anything.
func Inspect(ctx context.Context, env *Env) Inspection {
	env = env.forPhase(preflight.Name)
	return env.inspect(ctx, true, env.checkUserKubeconfigs()...)
}

// inspect measures the disk of etcd's data only where it may be written to. more is what
// phases have found that are not looked at here.
func (e *Env) inspect(ctx context.Context, measures bool, more ...error) Inspection {
	// Before the rest: beside work that takes all CPUs, any disk seems slow.
	var seen []part
	if e.Host.Real() && measures {
		seen = append(seen, ahead(ctx, part{"disk latency", e.measureDisk}))
	}
	var m *diagnose.Machine
	var bundled, decided []error
	var taken diagnose.Taken
	var takenErr error
	sideBySide(
		func() { m = e.wholeMachine(ctx, seen) },
		func() { bundled = e.checkBundle(ctx) },
		func() { decided = e.decide() },
		func() { taken, takenErr = e.taken(ctx) },
	)
	m.Taken = taken
	if takenErr != nil {
		decided = append(decided, takenErr)
	}
	if text := addressNote(m); text != "" {
		e.note("%s", text)
	}
	found := e.unignored(slices.Concat(e.Catalogue.Preflight(m), findings(bundled), findings(decided), findings(more)))
	return Inspection{Checks: len(e.Catalogue.Checks()), Findings: e.Catalogue.InOrder(found), Unread: m.Unread}
}

func (e *Env) unignored(found []diagnose.Finding) []diagnose.Finding {
	return slices.DeleteFunc(found, func(f diagnose.Finding) bool { return slices.Contains(e.Ignore, f.ID) })
}

// decide finds what takes more than facts to tell.
func (e *Env) decide() []error {
	errs := slices.Concat(checkIgnored(e.Catalogue, e.Config.IgnorePreflight), e.checkSettled(), e.checkChoices())
	if e.Config.Box.Standalone {
		return errs
	}
	return append(errs, e.checkEtcdData()...)
}

// taken is looked at without a limit of time, as init does not work past what is found.
func (e *Env) taken(ctx context.Context) (t diagnose.Taken, err error) {
	t.Ports, t.Links = e.takenPorts(), e.foreignLinks()
	if e.Config.Box.Standalone {
		return t, nil
	}
	t.Manifests, t.EtcdData = e.takenManifests(), e.foreignEtcdData()
	t.Rules, err = e.foreignRules(ctx)
	return t, err
}

// findings are errors as preflight tells them. One without an ID is of a look that
// came to nothing.
func findings(errs []error) []diagnose.Finding {
	var all []diagnose.Finding
	for _, err := range errs {
		if cause := (*CauseError)(nil); errors.As(err, &cause) {
			all = append(all, cause.Finding)
			continue
		}
		all = append(all, diagnose.Finding{Level: diagnose.Error, What: err.Error(), Remedy: hintOf(err)})
	}
	return all
}

// found makes an error the finding of an entry, which stops init.
func found(all diagnose.Catalogue, id string, err error) error {
	return &CauseError{Finding: all.Found(id, diagnose.Finding{Level: diagnose.Error, What: err.Error(), Remedy: hintOf(err)}), Err: err}
}

// CheckIgnore wants every ID to be one of a check that init can go on without.
func CheckIgnore(all diagnose.Catalogue, ids []string) error {
	var errs []error
	for _, id := range ids {
		switch entry, known := all.Find(id); {
		case !known:
			errs = append(errs, withHint(fmt.Errorf("--ignore %s: there is no such check", id), "see their names: bootstrap explain"))
		case entry.Check == nil || entry.Enforced:
			errs = append(errs, fmt.Errorf("--ignore %s: it can't be ignored: init does not work past it", id))
		}
	}
	return errors.Join(errs...)
}

// ErrNotRoot is what a user who may not change this machine is told.
var ErrNotRoot = withHint(errors.New("not root"), "run it with sudo")

// enforced are kubeadm's names of the checks that init can't go on without; all others
// are warnings here.
var enforced = regexp.MustCompile(`(?i)^(all|cri|isprivilegeduser|kubeletversion|port-.*|fileavailable-.*|diravailable-.*)$`)

// CheckConfig finds in a config what only the plan and its checks know to be wrong.
func CheckConfig(all diagnose.Catalogue, c *config.Config) error {
	_, err := InitPlan(c).Without(c.SkipPhases)
	if err != nil {
		err = fmt.Errorf("skipPhases: %w", err)
	}
	return errors.Join(append(checkIgnored(all, c.IgnorePreflight), err)...)
}

func checkIgnored(all diagnose.Catalogue, names []string) []error {
	var findings []error
	for _, name := range names {
		if enforced.MatchString(name) {
			findings = append(findings, found(all, "check-not-ignorable",
				fmt.Errorf("nodeRegistration.ignorePreflightErrors: %s can't be ignored: init does not work past it", name)))
		}
	}
	return findings
}

func (e *Env) checkBundle(ctx context.Context) []error {
	if e.Bundle == nil {
		return nil
	}
	index := e.Bundle.Index()
	e.note("bundle: Kubernetes %s in %s", index.Kubernetes, e.Bundle.Path())
	if err := index.Check(e.Facts.Arch); err != nil {
		return []error{found(e.Catalogue, "bundle-damaged", err)}
	}
	e.waiting("verifying %s", e.Bundle.Path())
	if err := e.Bundle.Intact(ctx, toInstall(index.Entries, e.Host.Entries())); err != nil && ctx.Err() == nil {
		return []error{found(e.Catalogue, "bundle-damaged", fmt.Errorf("bundle %s: %w", e.Bundle.Path(), err))}
	}
	e.warnOfPulls()
	return nil
}

// toInstall is what of a bundle the ledger does not tell to be here already.
func toInstall(entries []bundle.Entry, ledger []host.Record) []bundle.Entry {
	type installed struct{ target, sha256 string }
	here := map[installed]bool{}
	for _, r := range ledger {
		here[installed{r.Target, r.After.SHA256}] = r.Done && !r.Undone
	}
	return slices.DeleteFunc(slices.Clone(entries), func(entry bundle.Entry) bool {
		switch entry.Kind {
		case bundle.Binary:
			return here[installed{binDir + "/" + entry.Name, entry.SHA256}]
		case bundle.CNI:
			return here[installed{cniPluginDir + "/" + entry.Name, entry.SHA256}]
		}
		return here[installed{target: entry.Name}]
	})
}

func (e *Env) warnOfPulls() {
	for _, reference := range e.Config.RequiredImages() {
		if _, ok := e.Bundle.Image(reference); !ok {
			e.warn("%s is not in the bundle: it is pulled, unless the runtime has it", reference)
		}
	}
}

// checkSettled finds what the config wants to change and init can't.
func (e *Env) checkSettled() []error {
	differ, err := e.unlikeBefore()
	var findings []error
	for _, what := range differ {
		findings = append(findings, found(e.Catalogue, "setting-settled", errors.New(what)))
	}
	if err != nil {
		findings = append(findings, err)
	}
	return findings
}

func (e *Env) checkChoices() []error {
	var errs []error
	if err := e.Choices.Runtime.None; err != nil {
		errs = append(errs, found(e.Catalogue, "no-runtime", err))
	}
	if err := e.Choices.Kubelet.None; err != nil {
		errs = append(errs, found(e.Catalogue, "no-kubelet", err))
	}
	return errs
}

// takenPorts tries to bind what the control plane will. On a re-run its own
// components hold them.
func (e *Env) takenPorts() []diagnose.TakenPort {
	if e.made(manifestFile("etcd")) || e.made(manifestFile("kube-apiserver")) {
		return nil
	}
	var taken []diagnose.TakenPort
	for _, p := range ports(e.Config) {
		if p.ofKubelet() && e.made(kubeletDropIn) {
			continue // of before, such as a standalone one
		}
		listener, err := net.Listen("tcp", p.address.String())
		if err == nil {
			listener.Close()
			continue
		}
		if !machine.IsNotHere(err) { // the address is a finding of its own
			n := p.address.Port()
			taken = append(taken, diagnose.TakenPort{Number: n, For: p.owner, By: e.Host.Listener(n), Error: err.Error()})
		}
	}
	return taken
}

type port struct {
	owner   string
	address netip.AddrPort
}

func (p port) ofKubelet() bool { return strings.HasPrefix(p.owner, "kubelet") }

func ports(c *config.Config) []port {
	unspecified := netip.IPv4Unspecified()
	if c.AdvertiseAddress.Is6() {
		unspecified = netip.IPv6Unspecified()
	}
	at := func(owner string, a netip.Addr, n int) port { return port{owner, netip.AddrPortFrom(a, uint16(n))} }
	all := []port{
		at("kube-apiserver", unspecified, c.BindPort),
		at("kubelet health", c.Loopback(), portIn(c.Kubelet, "healthzPort", 10248)),
		at("kubelet", unspecified, cmp.Or(portIn(c.Kubelet, "port", 10250), 10250)),
		{"kube-controller-manager", boundTo(c, c.ControllerManager, 10257)},
		{"kube-scheduler", boundTo(c, c.Scheduler, 10259)},
	}
	if !c.ProxyDisabled {
		all = append(all, port{"kube-proxy metrics", addressIn(c.KubeProxy, "metricsBindAddress", netip.AddrPortFrom(c.Loopback(), 10249))},
			port{"kube-proxy health", addressIn(c.KubeProxy, "healthzBindAddress", netip.AddrPortFrom(unspecified, 10256))})
	}
	if c.Etcd.External == nil {
		all = append(all, at("etcd clients", c.Loopback(), 2379), at("etcd peers", c.AdvertiseAddress, 2380), port{"etcd metrics", c.EtcdMetrics()})
	}
	return slices.DeleteFunc(all, func(p port) bool { return p.address.Port() == 0 || c.Box.Standalone && !p.ofKubelet() })
}

// portIn is a port of the user's configuration, or the default; 0 turns it off.
func portIn(fields map[string]any, name string, standard int) int {
	if n, err := strconv.ParseUint(fmt.Sprint(fields[name]), 10, 16); err == nil {
		return int(n)
	}
	return standard
}

func addressIn(fields map[string]any, name string, standard netip.AddrPort) netip.AddrPort {
	if address, err := netip.ParseAddrPort(fmt.Sprint(fields[name])); err == nil {
		return address
	}
	return standard
}

// takenManifests are another tool's, where ours will be.
func (e *Env) takenManifests() []string {
	var taken []string
	for _, name := range nodeComponents(e.Config) {
		if file := manifestFile(name); e.exists(file) && !e.made(file) {
			taken = append(taken, file)
		}
	}
	return taken
}

// foreignEtcdData is etcd's folder if it holds another cluster's data.
func (e *Env) foreignEtcdData() string {
	if e.Config.Etcd.External != nil {
		return ""
	}
	dir := e.Config.Etcd.DataDir
	left, _ := filepath.Glob(e.Host.Path(dir) + "/*")
	if len(left) == 0 || isNewDisk(left) || slices.ContainsFunc(e.Host.Entries(), isEtcdData) {
		return ""
	}
	return dir
}

// isNewDisk: a file system of its own begins with this one folder.
func isNewDisk(files []string) bool {
	return len(files) == 1 && filepath.Base(files[0]) == "lost+found"
}

// foreignLinks are of the names that our network gives its own: kubeadm reset leaves
// flannel's behind.
func (e *Env) foreignLinks() []string {
	if !e.Host.Real() || e.made(networkFile) || !e.Choices.Network.Own() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(networkLinks), func(name string) bool {
		_, err := net.InterfaceByName(name)
		return err != nil
	})
}

// foreignRules are of the names that daemons of ours take for their own: they would empty
// and fill them, and reset could not tell whose is what. kubeadm reset leaves kube-proxy's
// behind.
func (e *Env) foreignRules(ctx context.Context) ([]string, error) {
	var taken netfilter.Names
	if !e.Config.ProxyDisabled {
		taken = proxyRules(proxyMode(e.Config, e.Facts))
	}
	if e.Choices.Network.Own() {
		network := flannelRules(e.Facts)
		taken.Chains = append(taken.Chains, network.Chains...)
		taken.Tables = slices.Concat(taken.Tables, network.Tables) // a copy: they are shared
	}
	return e.Host.ForeignRules(ctx, taken)
}

func (e *Env) exists(path string) bool {
	_, err := os.Lstat(e.Host.Path(path))
	return err == nil
}
