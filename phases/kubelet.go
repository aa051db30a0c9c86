package phases

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

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
	h, program := env.Host, env.Choices.Kubelet
	if err := errors.Join(env.Choices.Runtime.None, program.None); err != nil {
		return err
	}
	env.Tell.Say("kubelet %s: %s", program.Path, program.Why)
	if program.Install {
		if err := installPrograms(ctx, env, "kubelet"); err != nil {
			return err
		}
	}
	setDaemonSettings(env)
	if err := keepKubeletSettings(h, env.Config); err != nil {
		return err
	}
	if err := h.OwnMounts(slices.Concat(spec.KubeletMounts, spec.ContainerdMounts, spec.NetworkMounts)); err != nil {
		return err
	}
	if err := h.OwnRules(ctx, spec.DaemonRules); err != nil {
		return err
	}
	err := configureKubelet(ctx, env)
	if err == nil {
		err = h.EnableUnit(ctx, spec.KubeletService)
	}
	if err != nil {
		return env.Ready().Explained(ctx, observe.Begun, kubeletDiskError(env.Catalogue, err))
	}
	stop := tellSoon(env, "systemd waits for the network to be up, as the kubelet's unit does: systemctl list-jobs")
	defer stop()
	return h.StartUnit(ctx, spec.NetworkOnline)
}

// tellSoon tells what is waited for while nobody else does, until stop is called. Most such waits are over before.
func tellSoon(env *Env, text string) (stop func()) {
	ended, telling := make(chan struct{}), sync.WaitGroup{}
	telling.Go(func() {
		for tick := time.NewTicker(3 * time.Second); ; {
			select {
			case <-tick.C:
				env.Tell.Waiting("%s", text)
			case <-ended:
				tick.Stop()
				return
			}
		}
	})
	return func() {
		close(ended)
		telling.Wait()
	}
}

// kubeletDiskError names the cause if the kubelet's folder can't be written.
func kubeletDiskError(all diagnose.Catalogue, err error) error {
	var at *fs.PathError
	if !errors.As(err, &at) || !strings.HasPrefix(at.Path, spec.KubeletDir) {
		return err
	}
	id := "kubelet-disk-full"
	switch {
	case host.IsReadOnly(err):
		id = "kubelet-disk-read-only"
	case !host.IsFull(err):
		return err
	}
	return &plan.CauseError{Finding: all.Found(id, diagnose.Finding{Level: diagnose.Error, What: err.Error(), See: "df -h " + spec.KubeletDir}), Err: err}
}

func configureKubelet(ctx context.Context, env *Env) error {
	h, program := env.Host, env.Choices.Kubelet.Path
	if err := h.OwnTrees(spec.KubeletTrees...); err != nil {
		return err
	}
	if err := writeKubeletConfig(env); err != nil {
		return err
	}
	if !env.Config.Box.Standalone { // this tells kubeadm which runtime the node has; the kubelet does not read it
		instance := templates.InstanceConfig{RuntimeEndpoint: env.Choices.Runtime.Endpoint}
		if err := writeRendered(h, spec.InstanceConfig, instance); err != nil {
			return err
		}
	}
	if err := writeKubeletUnit(ctx, env); err != nil {
		return err
	}
	warnOfLostFlags(env)
	given, err := env.UnitEnvironment(ctx, spec.KubeletService, spec.KubeletDropIn)
	if err != nil {
		return err
	}
	dropIn := templates.KubeletDropIn{
		Kubelet: program, Args: spec.KubeletArgs(env.Config), NoProxy: spec.NoProxy(env.Config, given),
		Folders: []string{env.Folder(spec.KubernetesDir), env.Folder(spec.KubeletDir), env.Folder(spec.PodLogDir)},
	}
	if etcd := env.EtcdFolder(); etcd != "" {
		dropIn.Folders = append(dropIn.Folders, etcd)
	}
	if err := writeRendered(h, spec.KubeletDropIn, dropIn); err != nil {
		return err
	}
	warnOfOtherCommand(env, spec.KubeletService, spec.KubeletDropIn)
	return nil
}

// warnOfLostFlags tells of flags that a package's unit adds from a variable, and ours does not.
func warnOfLostFlags(env *Env) {
	if env.Host.Made(spec.KubeletDropIn) {
		return
	}
	words, err := env.Host.UnitCommand(spec.KubeletService)
	if err != nil {
		return // warnOfOtherCommand tells of that
	}
	for _, w := range words {
		if strings.HasPrefix(w.From, "KUBELET_EXTRA_ARGS in ") {
			env.Tell.Warn("the kubelet no longer gets %s of %s: say it in nodeRegistration.kubeletExtraArgs of a config file", w.Text, w.From)
		}
	}
}

// warnOfOtherCommand tells of a drop-in that starts the program of a unit in another way than our file of it says:
// systemd reads drop-ins by name, and the last ExecStart counts. It also reads some that this does not.
func warnOfOtherCommand(env *Env, unit, ours string) {
	if env.Host.Plans() {
		return // in a plan, our file is not there to be read
	}
	words, err := env.Host.UnitCommand(unit)
	switch {
	case err != nil:
		env.Tell.Warn("whether %s is the last to say how %s is started can't be told: %v", ours, unit, err)
	case len(words) > 0 && words[0].From != ours:
		env.Tell.Warn("%s is started by %s, which is read after %s: without what the config asks for", unit, words[0].From, ours)
	}
}

// writeKubeletConfig does not show a configuration that has headers for a URL in it.
func writeKubeletConfig(env *Env) error {
	config, err := env.RenderKubeletConfig(env.Choices.Runtime.Endpoint)
	if err != nil {
		return err
	}
	source, err := spec.PodURLIn(config)
	if err != nil {
		return err
	}
	delays, err := spec.DelaysShutdown(config)
	if err == nil && delays {
		err = env.Host.OwnFile(spec.LogindDropIn)
	}
	if err != nil {
		return err
	}
	write := env.Host.WriteFile
	if len(source.Secrets()) > 0 {
		write = env.Host.WriteOpaque
	}
	_, err = write(spec.KubeletConfig, config, 0o600)
	return err
}

// writeKubeletUnit writes our unit unless the machine has one: there, the
// drop-in alone decides what is started.
func writeKubeletUnit(ctx context.Context, env *Env) error {
	state, err := env.Host.UnitState(ctx, spec.KubeletService)
	if err != nil {
		return err
	}
	if state.Load == "loaded" && state.Fragment != spec.KubeletUnitFile {
		env.Tell.Say("kubelet.service: %s is there already, and stays as it is", state.Fragment)
		return nil
	}
	return writeRendered(env.Host, spec.KubeletUnitFile, templates.KubeletService{Kubelet: env.Choices.Kubelet.Path})
}
