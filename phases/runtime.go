package phases

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/health"
	"bootstrap/phases/host"
	"bootstrap/phases/runtime"
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
	env.note("%s: %s", choice.name(), choice.Why)
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
		return env.explained(ctx, Begun, err) // such as a unit that is masked
	}
	if err := env.waitForRuntime(ctx); err != nil {
		return err
	}
	if choice.Install {
		return nil // our templates agree
	}
	warning, err := env.checkRuntime(ctx)
	if warning != "" {
		env.warn("%s", warning)
	}
	return err
}

func (e *Env) installContainerd(ctx context.Context) error {
	if err := e.installPrograms(ctx, binDir, "containerd", "containerd-shim-runc-v2", "ctr", "runc"); err != nil {
		return err
	}
	unit, err := templates.ContainerdService{Containerd: binDir + "/containerd", Config: containerdConfig}.Render()
	if err != nil {
		return err
	}
	config, err := templates.ContainerdConfig{
		SandboxImage:        e.Config.Images.Pause,
		RegistryConfig:      filepath.Dir(containerdConfig) + "/certs.d",
		CNIPlugins:          pluginDirs,
		CNIConfig:           cniConfigDir,
		Runc:                binDir + "/runc",
		RestrictOOMScoreAdj: !e.Facts.SysResource,
	}.Render()
	if err != nil {
		return err
	}
	if err := e.ownTrees(containerdTrees...); err != nil {
		return err
	}
	if _, err := e.Host.WriteFile(containerdConfig, config, 0o600); err != nil {
		return err
	}
	if _, err := e.Host.WriteFile(containerdUnit, unit, 0o600); err != nil {
		return err
	}
	if _, err := e.Host.WriteFile(scopeDropIn, []byte(scopeText), 0o644); err != nil {
		return err
	}
	return e.startUnit(ctx, "containerd.service", containerdConfig, containerdUnit)
}

// startRuntime enables a containerd that is installed, or no pod would come back after a
// reboot, and starts it; it changes nothing else of a runtime that is not ours.
func (e *Env) startRuntime(ctx context.Context) error {
	if runtime.SocketPath(e.Choices.Runtime.Endpoint) != containerdSocket {
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
	check := health.Check{Name: e.Choices.Runtime.name(), Probe: e.runtimeAnswers}
	err := e.wait(ctx, Wait{Stage: Begun, Checks: []health.Check{check}})
	return hintAfter(err, "journalctl -u containerd -n 50")
}

func (e *Env) runtimeAnswers(ctx context.Context) error {
	c, err := e.dialRuntime()
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Info(ctx)
	return err
}

// Runtime is the container runtime that the cluster uses.
type Runtime struct {
	Endpoint string // unix:///path
	Install  bool   // comes from the bundle
	Why      string // why this one, for people
	None     error  // why there is none to use
}

func (r Runtime) name() string {
	if r.Install {
		return "containerd of the bundle"
	}
	return "container runtime at " + runtime.SocketPath(r.Endpoint)
}

// foundRuntimes is what the choice of a runtime is decided by.
type foundRuntimes struct {
	configured string   // nodeRegistration.criSocket
	ours       bool     // installed by bootstrap earlier
	sockets    []string // CRI sockets that exist
	program    string   // a containerd program that is not ours
	bundled    bool     // the bundle holds containerd
}

var errNoRuntime = errors.New("no container runtime on this machine, and no bundle to install one from")

func (f foundRuntimes) choose() Runtime {
	const own = "unix://" + containerdSocket
	switch {
	case f.configured != "" && (f.configured != own || f.isForeign()):
		return Runtime{Endpoint: f.configured, Why: "nodeRegistration.criSocket names it"}
	case f.ours:
		return Runtime{Endpoint: own, Install: true, Why: "installed by bootstrap"}
	case f.configured == own:
		return Runtime{Endpoint: own, Install: true, Why: "nodeRegistration.criSocket names it, and nothing listens there"}
	case len(f.sockets) > 1:
		return Runtime{None: withHint(fmt.Errorf("several container runtimes: %s", strings.Join(f.sockets, ", ")),
			"name one in the config file: nodeRegistration.criSocket: unix://%s", f.sockets[0])}
	case len(f.sockets) == 1:
		return Runtime{Endpoint: "unix://" + f.sockets[0], Why: "it is there already, and stays as it is"}
	case f.program != "":
		return Runtime{Endpoint: own, Why: f.program + " is installed already, and stays as it is"}
	case f.bundled:
		return Runtime{Endpoint: own, Install: true, Why: "this machine has no container runtime"}
	}
	return Runtime{None: withHint(errNoRuntime, "use an executable with a bundle inside, give --bundle FILE, or install containerd 2")}
}

// isForeign tells whether containerd is somebody else's to install.
func (f foundRuntimes) isForeign() bool {
	return !f.ours && (slices.Contains(f.sockets, containerdSocket) || f.program != "" || !f.bundled)
}

// criSockets are where runtimes listen by default.
var criSockets = []string{containerdSocket, "/run/crio/crio.sock", "/run/cri-dockerd.sock"}

func (e *Env) foundSockets() []string {
	var sockets []string
	for _, socket := range criSockets {
		if info, err := os.Stat(e.Host.Path(socket)); err == nil && info.Mode()&os.ModeSocket != 0 {
			sockets = append(sockets, socket)
		}
	}
	return sockets
}
