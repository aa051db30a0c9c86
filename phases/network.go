package phases

import (
	"context"

	"bootstrap/phases/spec"
)

// installNetwork gives the node the pod network, unless it has one already. Its range
// is what flannel will find to be this node's: so the Node is Ready at once.
func (e *Env) installNetwork(ctx context.Context) error {
	switch n := e.Choices.Network; {
	case n.Foreign != "":
		e.Tell.Note("pod network: left to %s, which is there already", n.Foreign)
		return nil
	case n.None != "":
		e.Tell.Warn("pod network: none (%s); %s until you install one", n.None, e.withoutNetwork())
		return nil
	}
	if err := e.installEntries(ctx, e.Observe().CNIPlugins(), spec.CNIPluginDir); err != nil {
		return err
	}
	if err := e.ownNetworkDirs(); err != nil {
		return err
	}
	return e.writeNodeNetwork()
}

func (e *Env) withoutNetwork() string {
	if e.Config.Box.Standalone {
		return "only pods with hostNetwork start"
	}
	return "pods stay Pending and the Node NotReady"
}

// writeNodeNetwork guesses the range of the first node. Once flannel runs, cni-install
// keeps the file to the range that the Node has.
func (e *Env) writeNodeNetwork() error {
	if !e.Config.Box.Standalone && e.Host.Made(spec.NetworkFile) && e.Host.Exists(spec.NetworkFile) && e.Host.Exists(spec.FlannelTree+"/subnet.env") {
		return nil
	}
	data, err := spec.NodeNetwork(e.Config, e.Facts).Render()
	if err != nil {
		return err
	}
	_, err = e.Host.WriteFile(spec.NetworkFile, data, 0o600)
	return err
}

// ownNetworkDirs: all that our own runtime fills is owned with it.
func (e *Env) ownNetworkDirs() error {
	var trees []string
	if !e.Config.Box.Standalone {
		trees = append(trees, spec.FlannelTree)
	}
	if e.Choices.Runtime.Install {
		return e.Host.OwnTrees(trees...)
	}
	for _, dir := range spec.CNIDirs {
		if _, err := e.Host.MakeDir(dir, 0o755); err != nil {
			return err
		}
	}
	return e.Host.OwnTrees(append(trees, spec.HostLocalTree)...)
}
