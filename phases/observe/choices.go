package observe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/bundle"
	"bootstrap/phases/config"
	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/phases/plan"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
)

func (o *Observer) chooseRuntime() spec.Runtime {
	_, bundled := o.Bundle.Entry(bundle.Binary, "containerd")
	found := foundRuntimes{
		configured: o.Config.CRISocket, ours: o.Host.Made(spec.ContainerdUnit), sockets: FoundSockets(o.Host),
		program: o.Host.ForeignProgram("containerd"), bundled: bundled,
	}
	return found.choose()
}

// ChooseKubelet decides which kubelet this node runs. It asks one that others installed for its
// version.
func (o *Observer) ChooseKubelet(ctx context.Context) spec.Kubelet {
	entry, _ := o.Bundle.Entry(bundle.Binary, "kubelet")
	found := foundKubelets{
		want: o.Config.KubernetesVersion, program: o.Host.ForeignProgram("kubelet"), bundled: entry.Version,
	}
	var err error
	if found.program != "" {
		found.version, err = kubeletVersion(ctx, o.Host, found.program)
	}
	if ours := spec.BinDir + "/kubelet"; err == nil && o.Bundle == nil && o.Host.Made(ours) && o.Host.Exists(ours) {
		found.installed, err = kubeletVersion(ctx, o.Host, ours)
	}
	if err != nil {
		return spec.Kubelet{None: err}
	}
	return found.choose()
}

func kubeletVersion(ctx context.Context, h *host.Host, program string) (string, error) {
	out, err := h.Output(ctx, program, "--version")
	_, version, _ := strings.Cut(strings.TrimSpace(out), " ")
	return version, err
}

// noNetwork says why this node gets no network of ours, empty if it gets one.
func (o *Observer) noNetwork() string {
	switch {
	case o.Config.Box.Network == config.NoNetwork:
		return "network: none in BoxConfiguration"
	case len(o.Bundle.Entries(bundle.CNI)) == 0 && !o.Host.Made(spec.NetworkFile):
		return "no bundle holds one"
	}
	return ""
}

// DialRuntime connects to this node's runtime. In a dry run the runtime may not be installed yet:
// then it gives nil, which answers like a runtime without pods and images.
func (o *Observer) DialRuntime() (*runtime.CRI, error) {
	choice := o.Choices.Runtime
	switch {
	case choice.None != nil:
		return nil, choice.None
	case o.Host.Plans() && !o.Host.Exists(runtime.SocketPath(choice.Endpoint)):
		return nil, nil
	}
	return runtime.Dial(choice.Endpoint)
}

// foundKubelets is all that decides which kubelet is used.
type foundKubelets struct {
	want      string // version, with the v
	program   string // a kubelet that is not ours
	version   string // its version, with the v
	bundled   string // version in the bundle, empty without
	installed string // version of ours, where there is no bundle; empty without
}

func (f foundKubelets) choose() spec.Kubelet {
	own := spec.Kubelet{Path: spec.BinDir + "/kubelet", Install: true, Why: "from the bundle"}
	switch {
	case f.program != "" && f.version == f.want:
		return spec.Kubelet{Path: f.program, Why: "it is installed already, in the version wanted"}
	case f.installed == f.want:
		return spec.Kubelet{Path: own.Path, Install: true, Why: "installed by bootstrap"}
	case f.bundled == "" && f.program == "":
		return spec.Kubelet{None: plan.Hint(errors.New("no kubelet on this machine, and no bundle to install one from"),
			"use an executable with a bundle inside, give --bundle FILE, or install kubelet %s", f.want)}
	case f.bundled != "" && f.bundled != f.want:
		return spec.Kubelet{None: fmt.Errorf("the bundle's kubelet is %s, want %s", f.bundled, f.want)}
	case f.bundled != "" && f.program != own.Path:
		return own
	}
	return spec.Kubelet{None: plan.Hint(fmt.Errorf("%s is %s, want %s", f.program, f.version, f.want), "remove it, or set kubernetesVersion: %s", f.version)}
}

// foundRuntimes is all that decides which runtime is used.
type foundRuntimes struct {
	configured string   // nodeRegistration.criSocket
	ours       bool     // installed by bootstrap earlier
	sockets    []string // CRI sockets that exist
	program    string   // a containerd program that is not ours
	bundled    bool     // the bundle holds containerd
}

func (f foundRuntimes) choose() spec.Runtime {
	const own = "unix://" + spec.ContainerdSocket
	switch {
	case f.configured != "" && (f.configured != own || f.isForeign()):
		return spec.Runtime{Endpoint: f.configured, Why: "nodeRegistration.criSocket names it"}
	case f.ours:
		return spec.Runtime{Endpoint: own, Install: true, Why: "installed by bootstrap"}
	case f.configured == own:
		return spec.Runtime{Endpoint: own, Install: true, Why: "nodeRegistration.criSocket names it, and nothing listens there"}
	case len(f.sockets) > 1:
		return spec.Runtime{None: plan.Hint(fmt.Errorf("several container runtimes: %s", strings.Join(f.sockets, ", ")),
			"name one in a config file: nodeRegistration.criSocket: unix://%s", f.sockets[0])}
	case len(f.sockets) == 1:
		return spec.Runtime{Endpoint: "unix://" + f.sockets[0], Why: "it is there already, and stays as it is"}
	case f.program != "":
		return spec.Runtime{Endpoint: own, Why: f.program + " is installed already, and stays as it is"}
	case f.bundled:
		return spec.Runtime{Endpoint: own, Install: true, Why: "this machine has no container runtime"}
	}
	return spec.Runtime{None: plan.Hint(errors.New("no container runtime on this machine, and no bundle to install one from"),
		"use an executable with a bundle inside, give --bundle FILE, or install containerd 2")}
}

// isForeign tells whether containerd is, or has to be, installed by somebody else.
func (f foundRuntimes) isForeign() bool {
	return !f.ours && (slices.Contains(f.sockets, spec.ContainerdSocket) || f.program != "" || !f.bundled)
}

// FoundSockets are the sockets of container runtimes that are where they are by default.
func FoundSockets(h *host.Host) []string {
	sockets := []string{spec.ContainerdSocket, "/run/crio/crio.sock", "/run/cri-dockerd.sock"}
	return slices.DeleteFunc(sockets, func(socket string) bool {
		info, err := os.Stat(h.Path(socket))
		return err != nil || info.Mode()&os.ModeSocket == 0 || isLeft(h, socket)
	})
}

// isLeft tells whether nobody listens on a socket, and nobody could: the runtime was removed while it did not run, or
// was killed before.
func isLeft(h *host.Host, socket string) bool {
	program := strings.TrimSuffix(path.Base(socket), ".sock")
	if h.Program(program) != "" {
		return false
	}
	conn, err := net.DialTimeout("unix", h.Path(socket), time.Second)
	if err == nil {
		_ = conn.Close()
	}
	return machine.IsRefused(err)
}
