package phases

import (
	"context"

	"bootstrap/phases/cluster"
	"bootstrap/phases/spec"
)

var markControlPlane = Phase{
	Name:  "mark-control-plane",
	Short: "label the Node as control plane",
	Run:   asAdmin(runMarkControlPlane),
}

// runMarkControlPlane sets labels only. The kubelet sets the taint when it registers
// the Node, so that no pod slips in before.
func runMarkControlPlane(ctx context.Context, env *Env, c *cluster.Cluster) error {
	return c.LabelNode(ctx, env.Config.NodeName, spec.ControlPlaneLabels(env.Config))
}
