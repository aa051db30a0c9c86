package phases

import (
	"context"

	"bootstrap/phases/bundle"
	"bootstrap/phases/spec"
)

// installNetwork gives the node the pod network, unless it has one already. It does not wait
// for flannel, which will give the node the same range of addresses: so the Node is Ready at once.
func installNetwork(ctx context.Context, env *Env) error {
	switch n := env.Choices.Network; {
	case n.Foreign != "":
		env.Tell.Say("pod network: left to %s, which is there already", n.Foreign)
		return nil
	case n.None != "":
		lack := "pods stay Pending and the Node NotReady"
		if env.Config.Box.Standalone {
			lack = "only pods with hostNetwork start"
		}
		env.Tell.Warn("pod network: none (%s); %s until you install one", n.None, lack)
		return nil
	}
	err := installEntries(ctx, env, spec.CNIPluginDir, env.Bundle.Entries(bundle.CNI))
	if err != nil {
		return err
	}
	if err := ownNetworkDirs(env); err != nil {
		return err
	}
	return writeNodeNetwork(env)
}

// ownNetworkDirs records the folders that the pod network fills. What our own runtime fills is
// recorded with that runtime.
func ownNetworkDirs(env *Env) error {
	var trees []string
	if !env.Config.Box.Standalone {
		trees = append(trees, spec.FlannelTree)
	}
	if env.Choices.Runtime.Install {
		return env.Host.OwnTrees(trees...)
	}
	for _, dir := range spec.CNIDirs {
		if err := env.Host.MakeDir(dir, 0o755); err != nil {
			return err
		}
	}
	return env.Host.OwnTrees(append(trees, spec.HostLocalTree)...)
}

// writeNodeNetwork guesses the range of the first node. Once flannel runs, cni-install
// keeps the file to the range that the Node has.
func writeNodeNetwork(env *Env) error {
	h := env.Host
	if !env.Config.Box.Standalone && h.Made(spec.NetworkFile) && h.Exists(spec.NetworkFile) && h.Exists(spec.FlannelTree+"/subnet.env") {
		return nil
	}
	return writeRendered(h, spec.NetworkFile, spec.NodeNetwork(env.Config, env.Facts))
}
