package phases

import (
	"context"

	"bootstrap/phases/spec"
)

var markControlPlane = Phase{
	Name:  "mark-control-plane",
	Short: "label the Node as control plane",
	Run:   runMarkControlPlane,
}

// runMarkControlPlane sets labels only. The kubelet sets the taint when it registers
// the Node, so that no pod slips in before.
func runMarkControlPlane(ctx context.Context, env *Env) error {
	c, err := env.applier()
	if err != nil {
		return err
	}
	return c.LabelNode(ctx, env.Config.NodeName, spec.ControlPlaneLabels(env.Config))
}
