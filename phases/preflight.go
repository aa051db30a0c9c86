package phases

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"bootstrap/phases/config"
	"bootstrap/phases/host"
)

var preflight = Phase{
	Name:  "preflight",
	Short: "check that this machine can become a control plane, before anything is changed",
	Run:   runPreflight,
}

// PreflightError holds every finding that stops init. Nothing was changed.
type PreflightError struct{ Findings []error }

func (e *PreflightError) Error() string { return errors.Join(e.Findings...).Error() }

// Unwrap gives the findings, for their hints.
func (e *PreflightError) Unwrap() []error { return e.Findings }

func runPreflight(ctx context.Context, env *Env) error {
	if r, open := env.Host.Unfinished(); open {
		env.note("going on: the run before did not end; the last it did was in phase %s, with %s", r.By, r.Target)
	}
	for _, warning := range machineWarnings(env.Facts) {
		env.warn("%s", warning)
	}
	findings := slices.Concat(
		checkMachine(env.Facts),
		checkIgnored(env.Config.IgnorePreflight),
		env.checkSettled(),
		env.checkBundle(ctx),
		env.checkChoices(ctx),
		env.checkPorts(),
		env.checkForeignFiles(),
		env.checkForeignRules(ctx),
	)
	if len(findings) > 0 {
		return &PreflightError{Findings: findings}
	}
	return nil
}

// ErrNotRoot is what a user who may not change this machine is told.
var ErrNotRoot = withHint(errors.New("not root"), "run it with sudo")

func checkMachine(f host.Facts) []error {
	if f.Systemd {
		return nil
	}
	return []error{errors.New("systemd does not run this machine, and it has to start the kubelet")}
}

// enforced are kubeadm's names of the checks that init can't go on without; all others
// are warnings here.
var enforced = regexp.MustCompile(`(?i)^(all|cri|isprivilegeduser|kubeletversion|port-.*|fileavailable-.*|diravailable-.*)$`)

// CheckConfig finds in a config what only the plan and its checks know to be wrong.
func CheckConfig(c *config.Config) error {
	_, err := Init().Without(c.SkipPhases)
	if err != nil {
		err = fmt.Errorf("skipPhases: %w", err)
	}
	return errors.Join(append(checkIgnored(c.IgnorePreflight), err)...)
}

func checkIgnored(names []string) []error {
	var findings []error
	for _, name := range names {
		if enforced.MatchString(name) {
			findings = append(findings, withHint(fmt.Errorf("nodeRegistration.ignorePreflightErrors: %s can't be ignored: init does not work past it", name),
				"leave it out; what is found is said, each with its remedy"))
		}
	}
	return findings
}

// machineWarnings tell what was detected and what follows from it.
func machineWarnings(f host.Facts) []string {
	var warnings []string
	add := func(when bool, format string, args ...any) {
		if when {
			warnings = append(warnings, fmt.Sprintf(format, args...))
		}
	}
	const mib = 1 << 20
	add(f.CPUs < 2, "%d CPU: a control plane needs 2 to answer in time", f.CPUs)
	add(f.Memory < 1700*mib, "%d MiB of memory: a control plane needs 1700", f.Memory/mib)
	add(f.CgroupVersion == 1, "cgroup version 1: the kubelet is told to accept it (failCgroupV1: false)")
	add(f.Swap, "swap is on: the kubelet is told to accept it (failSwapOn: false); pods do not use it")
	add(!f.SysResource, "no CAP_SYS_RESOURCE: OOM scores cannot be lowered here; containerd and kubelet are told so")
	add(!f.ResolvConf && !f.ResolvedConf, "no /etc/resolv.conf: pods get no resolver from this machine")
	return warnings
}

func (e *Env) checkBundle(ctx context.Context) []error {
	if e.Bundle == nil {
		return nil
	}
	index := e.Bundle.Index()
	e.note("bundle: Kubernetes %s in %s", index.Kubernetes, e.Bundle.Path())
	if err := index.Check(e.Facts.Arch); err != nil {
		return []error{err}
	}
	e.waiting("verifying %s", e.Bundle.Path())
	if err := e.Bundle.Verify(ctx); err != nil {
		return []error{fmt.Errorf("bundle %s: %w", e.Bundle.Path(), err)}
	}
	return e.checkBundleImages()
}

func (e *Env) checkBundleImages() []error {
	for _, reference := range e.Config.Images.Required() {
		if _, ok := e.Bundle.Image(reference); !ok {
			e.warn("%s is not in the bundle: it is pulled, unless the runtime has it", reference)
		}
	}
	return nil
}

func (e *Env) checkChoices(ctx context.Context) []error {
	_, runtimeErr := e.chooseRuntime()
	_, kubeletErr := e.chooseKubelet(ctx)
	return slices.DeleteFunc([]error{runtimeErr, kubeletErr}, func(err error) bool { return err == nil })
}

// checkPorts tries to bind what the control plane will. On a re-run its own
// components hold them.
func (e *Env) checkPorts() []error {
	if e.made(manifestFile("etcd")) || e.made(manifestFile("kube-apiserver")) {
		return nil
	}
	var findings []error
	for _, p := range ports(e.Config) {
		listener, err := net.Listen("tcp", p.address.String())
		if err != nil {
			findings = append(findings, withHint(fmt.Errorf("port %d, for %s, is taken: %w", p.address.Port(), p.owner, err),
				"see by whom: ss -ltnp 'sport = :%d'", p.address.Port()))
			continue
		}
		listener.Close()
	}
	return findings
}

type port struct {
	owner   string
	address netip.AddrPort
}

func ports(c *config.Config) []port {
	any := netip.IPv4Unspecified()
	if c.AdvertiseAddress.Is6() {
		any = netip.IPv6Unspecified()
	}
	at := func(owner string, a netip.Addr, n int) port { return port{owner, netip.AddrPortFrom(a, uint16(n))} }
	all := []port{
		at("kube-apiserver", any, c.BindPort),
		at("kubelet health", c.Loopback(), 10248),
		at("kubelet", any, 10250),
		at("kube-controller-manager", c.Loopback(), 10257),
		at("kube-scheduler", c.Loopback(), 10259),
	}
	if !c.ProxyDisabled {
		all = append(all, at("kube-proxy metrics", c.Loopback(), 10249), at("kube-proxy health", any, 10256))
	}
	if c.Etcd.External == nil {
		all = append(all, at("etcd clients", c.Loopback(), 2379), at("etcd peers", c.AdvertiseAddress, 2380), at("etcd metrics", c.Loopback(), 2381))
	}
	return all
}

// checkForeignFiles finds what another tool left where ours will be.
func (e *Env) checkForeignFiles() []error {
	var findings []error
	for _, name := range nodeComponents(e.Config) {
		file := manifestFile(name)
		if e.exists(file) && !e.made(file) {
			findings = append(findings, withHint(fmt.Errorf("%s is there, and bootstrap did not make it", file),
				"if it is of an old cluster, remove that first: kubeadm reset"))
		}
	}
	findings = append(findings, e.foreignLinks()...)
	if e.Config.Etcd.External != nil {
		return findings
	}
	dir := e.Config.Etcd.DataDir
	if left, _ := filepath.Glob(e.Host.Path(dir) + "/*"); len(left) > 0 && !isNewDisk(left) && !slices.ContainsFunc(e.Host.Entries(), isEtcdData) {
		findings = append(findings, withHint(fmt.Errorf("%s holds data that is not of this cluster", dir),
			"keep it elsewhere: mv %s %s.old", dir, dir))
	}
	return findings
}

// isNewDisk: a file system of its own begins with this one folder.
func isNewDisk(files []string) bool {
	return len(files) == 1 && filepath.Base(files[0]) == "lost+found"
}

// foreignLinks finds links of the names that our network gives its own: kubeadm reset
// leaves flannel's behind.
func (e *Env) foreignLinks() []error {
	if !e.Host.Real() || e.made(networkFile) || !e.ownNetwork() {
		return nil
	}
	var findings []error
	for _, name := range networkLinks {
		if _, err := net.InterfaceByName(name); err != nil {
			continue
		}
		findings = append(findings, withHint(fmt.Errorf("a network link %s is there, and bootstrap did not make it", name),
			"if nobody needs it: ip link delete %s", name))
	}
	return findings
}

// checkForeignRules finds rules of the names that daemons of ours take for their own:
// they would empty and fill them, and reset could not tell whose is what. kubeadm reset
// leaves kube-proxy's behind.
func (e *Env) checkForeignRules(ctx context.Context) []error {
	var taken host.Firewall
	if !e.Config.ProxyDisabled {
		taken = proxyRules(proxyMode(e.Config, e.Facts))
	}
	if e.ownNetwork() {
		network := flannelRules(e.Facts)
		taken.Chains = append(taken.Chains, network.Chains...)
		taken.Tables = slices.Concat(taken.Tables, network.Tables) // a copy: they are shared
	}
	found, err := e.Host.ForeignRules(ctx, taken)
	if err != nil {
		return []error{err}
	}
	var findings []error
	for _, name := range found {
		findings = append(findings, withHint(fmt.Errorf("the firewall has a %s, and bootstrap did not make it", name),
			"if it is of an old cluster: %s", removeRules(name)))
	}
	return findings
}

// removeRules is the command against what ForeignRules names.
func removeRules(found string) string {
	if strings.HasPrefix(found, "table ") {
		return "nft delete " + found
	}
	program := "iptables"
	if strings.Contains(found, " ip6 ") {
		program = "ip6tables"
	}
	return fmt.Sprintf("%[1]s-save | grep -v -e KUBE- -e FLANNEL- | %[1]s-restore", program)
}

func (e *Env) exists(path string) bool {
	_, err := os.Lstat(e.Host.Path(path))
	return err == nil
}
