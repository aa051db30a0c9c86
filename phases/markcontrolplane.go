package phases

import "context"

var markControlPlane = Phase{
	Name:  "mark-control-plane",
	Short: "label the Node as control plane",
	Run:   runMarkControlPlane,
}

// runMarkControlPlane sets labels only. The kubelet sets the taint when it registers
// the Node, so that no pod slips in before.
func runMarkControlPlane(ctx context.Context, env *Env) error {
	c, err := env.api()
	if err != nil {
		return err
	}
	applied, err := c.LabelNode(ctx, env.Config.NodeName, map[string]string{
		"node-role.kubernetes.io/control-plane":                   "",
		"node.kubernetes.io/exclude-from-external-load-balancers": "",
	})
	env.changedObject(applied, err)
	return err
}
