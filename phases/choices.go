package phases

import (
	"context"
	"path/filepath"
	"strings"

	"bootstrap/phases/bundle"
	"bootstrap/phases/config"
)

// Choices are what is decided once, by what the machine has, when a command begins.
type Choices struct {
	Runtime Runtime
	Kubelet Kubelet // only of commands that install one
	Network Network
}

// Network is whose pod network this node has.
type Network struct {
	Foreign string // the CNI configuration of somebody else's; empty without
	None    string // why there is none of ours; empty if there is
}

// Own tells whether this cluster's pod network is ours.
func (n Network) Own() bool { return n.Foreign == "" && n.None == "" }

// choose decides by what is there what this node uses.
func (e *Env) choose() Choices {
	return Choices{Runtime: e.chooseRuntime(), Network: Network{Foreign: e.foreignNetwork(), None: e.noNetwork()}}
}

func (e *Env) chooseRuntime() Runtime {
	found := foundRuntimes{configured: e.Config.CRISocket, ours: e.made(containerdUnit), sockets: e.foundSockets()}
	if e.Bundle != nil {
		_, found.bundled = e.Bundle.Entry(bundle.Binary, "containerd")
	}
	found.program = e.foreignProgram("containerd")
	return found.choose()
}

func (e *Env) chooseKubelet(ctx context.Context) Kubelet {
	found := foundKubelets{want: e.Config.KubernetesVersion, program: e.foreignProgram("kubelet")}
	if e.Bundle != nil {
		entry, _ := e.Bundle.Entry(bundle.Binary, "kubelet")
		found.bundled = entry.Version
	}
	var err error
	if found.program != "" {
		found.version, err = e.kubeletVersion(ctx, found.program)
	}
	if ours := binDir + "/kubelet"; err == nil && e.Bundle == nil && e.made(ours) && e.exists(ours) {
		found.installed, err = e.kubeletVersion(ctx, ours)
	}
	if err != nil {
		return Kubelet{None: err}
	}
	return found.choose()
}

func (e *Env) kubeletVersion(ctx context.Context, program string) (string, error) {
	out, err := e.Host.Output(ctx, program, "--version")
	_, version, _ := strings.Cut(strings.TrimSpace(out), " ")
	return version, err
}

func (e *Env) cniPlugins() []bundle.Entry {
	if e.Bundle == nil {
		return nil
	}
	return e.Bundle.Entries(bundle.CNI)
}

// noNetwork says why this node gets no network of ours, empty if it gets one.
func (e *Env) noNetwork() string {
	switch {
	case e.Config.Box.Network == config.NoNetwork:
		return networkNotWanted
	case len(e.cniPlugins()) == 0 && !e.made(networkFile):
		return networkNotBundled
	}
	return ""
}

func (e *Env) foreignNetwork() string {
	files, _ := filepath.Glob(e.Host.Path(cniConfigDir) + "/*")
	for _, file := range files {
		if path := cniConfigDir + "/" + filepath.Base(file); isNetwork(path) && path != networkFile {
			return path
		}
	}
	return ""
}
