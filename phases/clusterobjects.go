package phases

import (
	"context"

	"bootstrap/phases/cluster"
	"bootstrap/phases/host"
	"bootstrap/phases/spec"
)

// api talks to this node's own API server as admin, and tries again what fails by
// what may pass.
func (e *Env) api() (*cluster.Cluster, error) {
	c, err := e.Observe().Connect(spec.AdminConf)
	if err != nil {
		return nil, err
	}
	return c.Within(e.Config.APICallTimeout), nil
}

// applyAll makes objects what the manifests say, in no order.
func (e *Env) applyAll(ctx context.Context, c *cluster.Cluster, manifests ...[]byte) error {
	applied, err := c.ApplyAll(ctx, manifests...)
	e.changedObjects(applied)
	return err
}

func (e *Env) changedObjects(applied []cluster.Applied) {
	for _, a := range applied {
		e.changedObject(a, nil)
	}
}
func (e *Env) changedObject(applied cluster.Applied, err error) {
	if err == nil && applied.Verb != cluster.Unchanged {
		e.Tell.Changed(host.Change{Op: host.OpObject, Verb: host.Verb(applied.Verb), Target: applied.Object})
	}
}
