package phases

import (
	"context"
	"path/filepath"
	"time"

	"bootstrap/phases/health"
	"bootstrap/phases/host"
	"bootstrap/phases/observe"
	"bootstrap/phases/ready"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
	"bootstrap/templates"
)

var runtimePhase = Phase{
	Name:  "runtime",
	Short: "install and start containerd, or use the container runtime that is there",
	Run:   runRuntime,
}

// How long systemd waits for a container when the machine goes down: as long as Kubernetes
// by default. Its own 90 s pass in full, as etcd ends too, and without it kube-apiserver does
// not. The prefix is that of containerd's scopes.
const (
	scopeDropIn = "/etc/systemd/system/cri-containerd-.scope.d/10-bootstrap.conf"
	scopeText   = "# Made by bootstrap; `bootstrap reset` removes it.\n[Scope]\nTimeoutStopSec=30s\n"
)

func runRuntime(ctx context.Context, env *Env) error {
	env = env.forPurpose(host.Runtime)
	choice := env.Choices.Runtime
	if choice.None != nil {
		return choice.None
	}
	env.Tell.Note("%s: %s", choice.Name(), choice.Why)
	if err := env.prepareKernel(ctx); err != nil {
		return err
	}
	if err := env.installNetwork(ctx); err != nil {
		return err
	}
	start := env.startRuntime
	if choice.Install {
		start = env.installContainerd
	}
	if err := start(ctx); err != nil {
		return env.Ready().Explained(ctx, observe.Begun, err) // such as a unit that is masked
	}
	if err := env.waitForRuntime(ctx); err != nil {
		return err
	}
	if choice.Install {
		return nil // our templates agree
	}
	warning, err := env.Observe().CheckRuntime(ctx)
	if warning != "" {
		env.Tell.Warn("%s", warning)
	}
	return err
}

func (e *Env) installContainerd(ctx context.Context) error {
	if err := e.installPrograms(ctx, spec.BinDir, "containerd", "containerd-shim-runc-v2", "ctr", "runc"); err != nil {
		return err
	}
	unit, err := templates.ContainerdService{Containerd: spec.BinDir + "/containerd", Config: spec.ContainerdConfig}.Render()
	if err != nil {
		return err
	}
	config, err := templates.ContainerdConfig{
		SandboxImage:        e.Config.Images.Pause,
		RegistryConfig:      filepath.Dir(spec.ContainerdConfig) + "/certs.d",
		CNIPlugins:          spec.PluginDirs,
		CNIConfig:           spec.CNIConfigDir,
		Runc:                spec.BinDir + "/runc",
		RestrictOOMScoreAdj: !e.Facts.SysResource,
	}.Render()
	if err != nil {
		return err
	}
	if err := e.Host.OwnTrees(spec.ContainerdTrees...); err != nil {
		return err
	}
	if _, err := e.Host.WriteFile(spec.ContainerdConfig, config, 0o600); err != nil {
		return err
	}
	if _, err := e.Host.WriteFile(spec.ContainerdUnit, unit, 0o600); err != nil {
		return err
	}
	if _, err := e.Host.WriteFile(scopeDropIn, []byte(scopeText), 0o644); err != nil {
		return err
	}
	return e.startUnit(ctx, "containerd.service", spec.ContainerdConfig, spec.ContainerdUnit)
}

// startRuntime enables a containerd that is installed, or no pod would come back after a
// reboot, and starts it; it changes nothing else of a runtime that is not ours.
func (e *Env) startRuntime(ctx context.Context) error {
	if runtime.SocketPath(e.Choices.Runtime.Endpoint) != spec.ContainerdSocket {
		return nil
	}
	state, err := e.Host.UnitState(ctx, "containerd.service")
	if err != nil || state.Load != "loaded" {
		return err
	}
	if _, err := e.Host.EnableUnit(ctx, "containerd.service"); err != nil {
		return err
	}
	if e.runtimeAnswers(ctx) == nil {
		return nil
	}
	_, err = e.Host.StartUnit(ctx, "containerd.service")
	return err
}

func (e *Env) waitForRuntime(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	check := health.Check{Name: e.Choices.Runtime.Name(), Probe: e.runtimeAnswers}
	err := e.Ready().Wait(ctx, ready.Wait{Stage: observe.Begun, Checks: []health.Check{check}})
	return ready.HintAfter(err, "journalctl -u containerd -n 50")
}

func (e *Env) runtimeAnswers(ctx context.Context) error {
	c, err := e.Observe().DialRuntime()
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Info(ctx)
	return err
}
