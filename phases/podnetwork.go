package phases

import (
	"context"

	"bootstrap/phases/host"
	"bootstrap/phases/spec"
)

// installNetwork gives the node the pod network, unless it has one already. Its range
// is what flannel will find to be this node's: so the Node is Ready at once.
func installNetwork(ctx context.Context, env *Env) error {
	switch n := env.Choices.Network; {
	case n.Foreign != "":
		env.Tell.Note("pod network: left to %s, which is there already", n.Foreign)
		return nil
	case n.None != "":
		lack := "pods stay Pending and the Node NotReady"
		if env.Config.Box.Standalone {
			lack = "only pods with hostNetwork start"
		}
		env.Tell.Warn("pod network: none (%s); %s until you install one", n.None, lack)
		return nil
	}
	err := installer{env.Host, env.Bundle}.entries(ctx, spec.CNIPluginDir, env.Observe().CNIPlugins())
	if err != nil {
		return err
	}
	if err := ownNetworkDirs(env.Host, &env.Spec); err != nil {
		return err
	}
	return writeNodeNetwork(env.Host, &env.Spec)
}

// ownNetworkDirs records the folders that the pod network fills. What our own runtime fills is
// recorded with that runtime.
func ownNetworkDirs(h *host.Host, s *spec.Spec) error {
	var trees []string
	if !s.Config.Box.Standalone {
		trees = append(trees, spec.FlannelTree)
	}
	if s.Choices.Runtime.Install {
		return h.OwnTrees(trees...)
	}
	for _, dir := range spec.CNIDirs {
		if _, err := h.MakeDir(dir, 0o755); err != nil {
			return err
		}
	}
	return h.OwnTrees(append(trees, spec.HostLocalTree)...)
}

// writeNodeNetwork guesses the range of the first node. Once flannel runs, cni-install
// keeps the file to the range that the Node has.
func writeNodeNetwork(h *host.Host, s *spec.Spec) error {
	if !s.Config.Box.Standalone && h.Made(spec.NetworkFile) && h.Exists(spec.NetworkFile) && h.Exists(spec.FlannelTree+"/subnet.env") {
		return nil
	}
	return writeRendered(h, spec.NetworkFile, spec.NodeNetwork(s.Config, s.Facts).Render)
}
