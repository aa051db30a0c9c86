package phases

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"bootstrap/phases/config"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/templates"
)

var kubelet = Phase{
	Name:  "kubelet",
	Short: "install, configure and enable the kubelet",
	Run:   runKubelet,
}

func runKubelet(ctx context.Context, env *Env) error {
	runtime, program := env.Choices.Runtime, env.Choices.Kubelet
	if err := errors.Join(runtime.None, program.None); err != nil {
		return err
	}
	env.note("kubelet %s: %s", program.Path, program.Why)
	if program.Install {
		if err := env.installPrograms(ctx, binDir, "kubelet"); err != nil {
			return err
		}
	}
	env.setDaemonSettings()
	if err := env.keepKubeletSettings(); err != nil {
		return err
	}
	if err := env.Host.OwnMounts(slices.Concat(kubeletMounts, containerdMounts, networkMounts)); err != nil {
		return err
	}
	if err := env.Host.OwnRules(ctx, daemonRules); err != nil {
		return err
	}
	if err := env.configureKubelet(ctx, program.Path, runtime.Endpoint); err != nil {
		return env.explained(ctx, Begun, env.kubeletDiskError(err))
	}
	if _, err := env.Host.EnableUnit(ctx, kubeletService); err != nil {
		return env.explained(ctx, Begun, err)
	}
	_, err := env.Host.StartUnit(ctx, networkOnline)
	return err
}

// kubeletDiskError names the cause if the kubelet's folder can't be written.
func (e *Env) kubeletDiskError(err error) error {
	var at *fs.PathError
	if !errors.As(err, &at) || !strings.HasPrefix(at.Path, kubeletDir) {
		return err
	}
	id := ""
	switch {
	case host.IsFull(err):
		id = "kubelet-disk-full"
	case host.IsReadOnly(err):
		id = "kubelet-disk-read-only"
	default:
		return err
	}
	return &CauseError{Finding: e.Catalogue.Found(id, diagnose.Finding{Level: diagnose.Error, What: err.Error(), See: "df -h " + kubeletDir}), Err: err}
}

func (e *Env) configureKubelet(ctx context.Context, program, endpoint string) error {
	if err := e.ownTrees(kubeletTrees...); err != nil {
		return err
	}
	if err := e.writeKubeletConfig(endpoint); err != nil {
		return err
	}
	if err := e.writeInstanceConfig(endpoint); err != nil {
		return err
	}
	if err := e.writeKubeletUnit(ctx, program); err != nil {
		return err
	}
	dropIn, err := templates.KubeletDropIn{
		Kubelet: program, Args: kubeletArgs(e.Config), EtcdData: e.etcdFolder(),
	}.Render()
	if err != nil {
		return err
	}
	e.warnOfLostFlags()
	if _, err := e.Host.WriteFile(kubeletDropIn, dropIn, 0o600); err != nil {
		return err
	}
	e.warnOfOtherCommand()
	return nil
}

// warnOfLostFlags: what packages' units add from a variable, ours does not.
func (e *Env) warnOfLostFlags() {
	if e.made(kubeletDropIn) {
		return
	}
	words, err := e.Host.UnitCommand(kubeletService)
	if err != nil {
		return // it is told of when ours is there
	}
	for _, w := range words {
		if strings.HasPrefix(w.From, "KUBELET_EXTRA_ARGS in ") {
			e.warn("the kubelet no longer gets %s of %s: say it in nodeRegistration.kubeletExtraArgs of the config file", w.Text, w.From)
		}
	}
}

// warnOfOtherCommand: systemd reads drop-ins by name, and the last ExecStart counts. It
// also reads some that this does not.
func (e *Env) warnOfOtherCommand() {
	if e.Host.Plans() {
		return // ours is not there
	}
	words, err := e.Host.UnitCommand(kubeletService)
	switch {
	case err != nil:
		e.warn("whether %s is the last to say how the kubelet is started can't be told: %v", kubeletDropIn, err)
	case len(words) > 0 && words[0].From != kubeletDropIn:
		e.warn("the kubelet is started by %s, which is read after %s: without what the config asks for", words[0].From, kubeletDropIn)
	}
}

// writeKubeletConfig: one with headers for a URL is not to be shown.
func (e *Env) writeKubeletConfig(endpoint string) error {
	config, err := e.renderKubeletConfig(endpoint)
	if err != nil {
		return err
	}
	source, err := podURLIn(config)
	if err != nil {
		return err
	}
	write := e.Host.WriteFile
	if len(source.Secrets()) > 0 {
		write = e.Host.WriteOpaque
	}
	_, err = write(kubeletConfig, config, 0o600)
	return err
}

// writeInstanceConfig tells kubeadm this node's runtime, where it looks for it. The
// kubelet itself does not read it.
func (e *Env) writeInstanceConfig(endpoint string) error {
	if e.Config.Box.Standalone {
		return nil // kubeadm has no use for such a machine
	}
	data, err := templates.InstanceConfig{RuntimeEndpoint: endpoint}.Render()
	if err != nil {
		return err
	}
	_, err = e.Host.WriteFile(instanceConfig, data, 0o600)
	return err
}

// writeKubeletUnit writes our unit unless the machine has one: there, the
// drop-in alone decides what is started.
func (e *Env) writeKubeletUnit(ctx context.Context, program string) error {
	state, err := e.Host.UnitState(ctx, kubeletService)
	if err != nil {
		return err
	}
	if state.Load == "loaded" && state.Fragment != kubeletUnitFile {
		e.note("kubelet.service: %s is there already, and stays as it is", state.Fragment)
		return nil
	}
	unit, err := templates.KubeletService{Kubelet: program}.Render()
	if err != nil {
		return err
	}
	_, err = e.Host.WriteFile(kubeletUnitFile, unit, 0o600)
	return err
}

func (e *Env) kubeletConfig(endpoint string) templates.KubeletConfig {
	var gates []string
	if !e.Facts.SysResource {
		gates = append(gates, "KubeletInUserNamespace")
	}
	c := templates.KubeletConfig{
		StaticPodPath:       staticPodDir,
		RuntimeEndpoint:     endpoint,
		Standalone:          e.Config.Box.Standalone,
		Loopback:            e.Config.Loopback().String(),
		ResolvConf:          resolvConf(e.Facts),
		FailSwapOn:          !e.Facts.Swap,
		FailCgroupV1:        e.Facts.CgroupVersion != 1,
		RestrictOOMScoreAdj: !e.Facts.SysResource,
		FeatureGates:        gates,
	}
	if !c.Standalone {
		c.ClusterDNS, c.ClusterDomain = e.Config.DNSServiceIP().String(), e.Config.Networking.DNSDomain
		c.ClientCA = e.pkiFile("ca", ".crt")
	}
	return c
}

// kubeletArgs are the kubelet's flags: what its config file has no field for. The node's name
// is always among them: a machine that gets another hostname stays the same node.
func kubeletArgs(c *config.Config) []string {
	args := []config.Arg{{Name: "config", Value: kubeletConfig}}
	if !c.Box.Standalone {
		args = append(args, config.Arg{Name: "kubeconfig", Value: kubeletConf})
	}
	args = append(args,
		config.Arg{Name: "node-ip", Value: c.AdvertiseAddress.String()}, // else a kubelet with several links may take another
		config.Arg{Name: "hostname-override", Value: c.NodeName},
	)
	if len(c.Taints) > 0 && !c.Box.Standalone {
		// At registration, so that no pod slips in before the taint.
		args = append(args, config.Arg{Name: "register-with-taints", Value: formatTaints(c.Taints)})
	}
	return command("kubelet", args, c.KubeletExtraArgs)[1:]
}

func formatTaints(taints []config.Taint) string {
	parts := make([]string, len(taints))
	for i, t := range taints {
		parts[i] = fmt.Sprintf("%s=%s:%s", t.Key, t.Value, t.Effect)
	}
	return strings.Join(parts, ",")
}

// resolvConf is the file that pods' resolvers are made from. A missing one stops
// every pod, so none is better.
func resolvConf(f machine.Facts) string {
	switch {
	case f.ResolvedConf:
		return machine.ResolvedConfPath
	case f.ResolvConf:
		return "/etc/resolv.conf"
	}
	return ""
}

// Kubelet is the kubelet that runs on this node.
type Kubelet struct {
	Path    string
	Install bool   // comes from the bundle
	Why     string // why this one, for people
	None    error  // why there is none to run
}

// foundKubelets is what the choice of a kubelet is decided by.
type foundKubelets struct {
	want      string // version, with the v
	program   string // a kubelet that is not ours
	version   string // its version, with the v
	bundled   string // version in the bundle, empty without
	installed string // version of ours, where there is no bundle; empty without
}

func (f foundKubelets) choose() Kubelet {
	own := Kubelet{Path: binDir + "/kubelet", Install: true, Why: "from the bundle"}
	switch {
	case f.program != "" && f.version == f.want:
		return Kubelet{Path: f.program, Why: "it is installed already, in the version wanted"}
	case f.installed == f.want:
		return Kubelet{Path: own.Path, Install: true, Why: "installed by bootstrap"}
	case f.bundled == "" && f.program == "":
		return Kubelet{None: withHint(errors.New("no kubelet on this machine, and no bundle to install one from"),
			"use an executable with a bundle inside, give --bundle FILE, or install kubelet %s", f.want)}
	case f.bundled != "" && f.bundled != f.want:
		return Kubelet{None: fmt.Errorf("the bundle's kubelet is %s, want %s", f.bundled, f.want)}
	case f.bundled != "" && f.program != own.Path:
		return own
	}
	return Kubelet{None: withHint(fmt.Errorf("%s is %s, want %s", f.program, f.version, f.want), "remove it, or set kubernetesVersion: %s", f.version)}
}
