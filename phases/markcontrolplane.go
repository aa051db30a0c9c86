package phases

import (
	"context"

	"bootstrap/phases/config"
)

var markControlPlane = Phase{
	Name:  "mark-control-plane",
	Short: "label the Node as control plane",
	Run:   runMarkControlPlane,
}

// controlPlaneLabels are kubeadm's. A load balancer may lead to the only node there is.
func controlPlaneLabels(c *config.Config) map[string]string {
	labels := map[string]string{"node-role.kubernetes.io/control-plane": ""}
	if !c.Box.SingleNode {
		labels["node.kubernetes.io/exclude-from-external-load-balancers"] = ""
	}
	return labels
}

// runMarkControlPlane sets labels only. The kubelet sets the taint when it registers
// the Node, so that no pod slips in before.
func runMarkControlPlane(ctx context.Context, env *Env) error {
	c, err := env.api()
	if err != nil {
		return err
	}
	applied, err := c.LabelNode(ctx, env.Config.NodeName, controlPlaneLabels(env.Config))
	env.changedObject(applied, err)
	return err
}
