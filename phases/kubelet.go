package phases

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
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
	env.Tell.Note("kubelet %s: %s", program.Path, program.Why)
	if program.Install {
		if err := env.installPrograms(ctx, spec.BinDir, "kubelet"); err != nil {
			return err
		}
	}
	env.setDaemonSettings()
	if err := env.keepKubeletSettings(); err != nil {
		return err
	}
	if err := env.Host.OwnMounts(slices.Concat(spec.KubeletMounts, spec.ContainerdMounts, spec.NetworkMounts)); err != nil {
		return err
	}
	if err := env.Host.OwnRules(ctx, spec.DaemonRules); err != nil {
		return err
	}
	if err := env.configureKubelet(ctx, program.Path, runtime.Endpoint); err != nil {
		return env.Ready().Explained(ctx, observe.Begun, env.kubeletDiskError(err))
	}
	if _, err := env.Host.EnableUnit(ctx, spec.KubeletService); err != nil {
		return env.Ready().Explained(ctx, observe.Begun, err)
	}
	_, err := env.Host.StartUnit(ctx, spec.NetworkOnline)
	return err
}

// kubeletDiskError names the cause if the kubelet's folder can't be written.
func (e *Env) kubeletDiskError(err error) error {
	var at *fs.PathError
	if !errors.As(err, &at) || !strings.HasPrefix(at.Path, spec.KubeletDir) {
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
	return &plan.CauseError{Finding: e.Catalogue.Found(id, diagnose.Finding{Level: diagnose.Error, What: err.Error(), See: "df -h " + spec.KubeletDir}), Err: err}
}

func (e *Env) configureKubelet(ctx context.Context, program, endpoint string) error {
	if err := e.Host.OwnTrees(spec.KubeletTrees...); err != nil {
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
		Kubelet: program, Args: spec.KubeletArgs(e.Config), EtcdData: e.Observe().EtcdFolder(),
	}.Render()
	if err != nil {
		return err
	}
	e.warnOfLostFlags()
	if _, err := e.Host.WriteFile(spec.KubeletDropIn, dropIn, 0o600); err != nil {
		return err
	}
	e.warnOfOtherCommand()
	return nil
}

// warnOfLostFlags: what packages' units add from a variable, ours does not.
func (e *Env) warnOfLostFlags() {
	if e.Host.Made(spec.KubeletDropIn) {
		return
	}
	words, err := e.Host.UnitCommand(spec.KubeletService)
	if err != nil {
		return // it is told of when ours is there
	}
	for _, w := range words {
		if strings.HasPrefix(w.From, "KUBELET_EXTRA_ARGS in ") {
			e.Tell.Warn("the kubelet no longer gets %s of %s: say it in nodeRegistration.kubeletExtraArgs of the config file", w.Text, w.From)
		}
	}
}

// warnOfOtherCommand: systemd reads drop-ins by name, and the last ExecStart counts. It
// also reads some that this does not.
func (e *Env) warnOfOtherCommand() {
	if e.Host.Plans() {
		return // ours is not there
	}
	words, err := e.Host.UnitCommand(spec.KubeletService)
	switch {
	case err != nil:
		e.Tell.Warn("whether %s is the last to say how the kubelet is started can't be told: %v", spec.KubeletDropIn, err)
	case len(words) > 0 && words[0].From != spec.KubeletDropIn:
		e.Tell.Warn("the kubelet is started by %s, which is read after %s: without what the config asks for", words[0].From, spec.KubeletDropIn)
	}
}

// writeKubeletConfig: one with headers for a URL is not to be shown.
func (e *Env) writeKubeletConfig(endpoint string) error {
	config, err := e.RenderKubeletConfig(endpoint)
	if err != nil {
		return err
	}
	source, err := spec.PodURLIn(config)
	if err != nil {
		return err
	}
	write := e.Host.WriteFile
	if len(source.Secrets()) > 0 {
		write = e.Host.WriteOpaque
	}
	_, err = write(spec.KubeletConfig, config, 0o600)
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
	_, err = e.Host.WriteFile(spec.InstanceConfig, data, 0o600)
	return err
}

// writeKubeletUnit writes our unit unless the machine has one: there, the
// drop-in alone decides what is started.
func (e *Env) writeKubeletUnit(ctx context.Context, program string) error {
	state, err := e.Host.UnitState(ctx, spec.KubeletService)
	if err != nil {
		return err
	}
	if state.Load == "loaded" && state.Fragment != spec.KubeletUnitFile {
		e.Tell.Note("kubelet.service: %s is there already, and stays as it is", state.Fragment)
		return nil
	}
	unit, err := templates.KubeletService{Kubelet: program}.Render()
	if err != nil {
		return err
	}
	_, err = e.Host.WriteFile(spec.KubeletUnitFile, unit, 0o600)
	return err
}
