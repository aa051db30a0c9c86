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

// A drop-in for the systemd scopes in which containerd runs containers. When the machine goes
// down, systemd gives each container 90 s to end, and these would pass in full: etcd ends, and
// without etcd kube-apiserver does not. Kubernetes gives containers 30 s by default.
const (
	scopeDropIn = "/etc/systemd/system/cri-containerd-.scope.d/10-bootstrap.conf"
	scopeText   = "# Made by bootstrap; `bootstrap reset` removes it.\n[Scope]\nTimeoutStopSec=30s\n"
)

const containerdService = "containerd.service"

func runRuntime(ctx context.Context, env *Env) error {
	env = env.forPurpose(host.Runtime)
	choice := env.Choices.Runtime
	if choice.None != nil {
		return choice.None
	}
	env.Tell.Say("%s: %s", choice.Name(), choice.Why)
	if err := prepareKernel(ctx, env); err != nil {
		return err
	}
	if err := installNetwork(ctx, env); err != nil {
		return err
	}
	start := startRuntime
	if choice.Install {
		start = installContainerd
	}
	if err := start(ctx, env); err != nil {
		return env.Ready().Explained(ctx, observe.Begun, err) // such as a unit that is masked
	}
	if err := waitForRuntime(ctx, env); err != nil || choice.Install {
		return err // what our own templates say needs no check
	}
	warning, err := env.CheckRuntime(ctx)
	if warning != "" {
		env.Tell.Warn("%s", warning)
	}
	return err
}

// installContainerd starts our containerd, now and at every boot. One that runs is
// restarted only when a file that it reads was written since it started.
func installContainerd(ctx context.Context, env *Env) error {
	h := env.Host
	if err := installPrograms(ctx, env, spec.RuntimePrograms...); err != nil {
		return err
	}
	if err := h.OwnTrees(spec.ContainerdTrees...); err != nil {
		return err
	}
	if err := writeContainerdFiles(ctx, env); err != nil {
		return err
	}
	warnOfOtherCommand(env, containerdService, spec.ContainerdUnit)
	// Enabled first, which is done with files: systemd then reads them all at once.
	if err := h.EnableUnit(ctx, containerdService); err != nil {
		return err
	}
	return h.StartUnit(ctx, containerdService, spec.ContainerdConfig, spec.ContainerdUnit)
}

func writeContainerdFiles(ctx context.Context, env *Env) error {
	h := env.Host
	given, err := env.UnitEnvironment(ctx, containerdService, spec.ContainerdUnit)
	if err != nil {
		return err
	}
	config := templates.ContainerdConfig{
		SandboxImage:        env.Config.Images.Pause,
		RegistryConfig:      filepath.Dir(spec.ContainerdConfig) + "/certs.d",
		CNIPlugins:          spec.PluginDirs,
		CNIConfig:           spec.CNIConfigDir,
		Runc:                spec.BinDir + "/runc",
		RestrictOOMScoreAdj: !env.Facts.SysResource,
	}
	unit := templates.ContainerdService{
		Containerd: spec.BinDir + "/containerd", Config: spec.ContainerdConfig,
		Folders: []string{env.Folder(spec.ContainerdDir)}, NoProxy: spec.NoProxy(env.Config, given),
	}
	if err := writeRendered(h, spec.ContainerdConfig, config); err != nil {
		return err
	}
	if err := writeRendered(h, spec.ContainerdUnit, unit); err != nil {
		return err
	}
	_, err = h.WriteFile(scopeDropIn, []byte(scopeText), 0o644)
	return err
}

// startRuntime enables a containerd that is installed, or no pod would come back after a
// reboot, and starts it. It changes nothing else of a runtime that others installed.
func startRuntime(ctx context.Context, env *Env) error {
	if runtime.SocketPath(env.Choices.Runtime.Endpoint) != spec.ContainerdSocket {
		return nil
	}
	state, err := env.Host.UnitState(ctx, containerdService)
	if err != nil || state.Load != "loaded" {
		return err
	}
	if err := env.Host.EnableUnit(ctx, containerdService); err != nil {
		return err
	}
	if runtimeAnswers(ctx, env) == nil {
		return nil
	}
	return env.Host.StartUnit(ctx, containerdService)
}

func waitForRuntime(ctx context.Context, env *Env) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	answers := func(ctx context.Context) error { return runtimeAnswers(ctx, env) }
	err := env.Ready().Wait(ctx, ready.Wait{Stage: observe.Begun, Checks: []health.Check{{Name: env.Choices.Runtime.Name(), Probe: answers}}})
	return ready.HintAfter(err, "journalctl -u containerd -n 50")
}

func runtimeAnswers(ctx context.Context, env *Env) error {
	c, err := env.DialRuntime()
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Ready(ctx)
}
