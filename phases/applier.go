package phases

import (
	"context"

	"bootstrap/phases/cluster"
	"bootstrap/phases/host"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

// applier makes objects of the cluster what they should be, and tells of each that it changed.
type applier struct {
	*cluster.Cluster
	tell plan.Teller
}

// applier asks this node's own API server, as admin. What fails for a reason that may
// pass is tried again.
func (e *Env) applier() (applier, error) {
	c, err := e.Connect(spec.AdminConf)
	if err != nil {
		return applier{}, err
	}
	return applier{c.Within(e.Config.APICallTimeout), e.Tell}, nil
}

// applyAll makes objects what the manifests say, in no order.
func (a applier) applyAll(ctx context.Context, manifests ...[]byte) error {
	applied, err := a.ApplyAll(ctx, manifests...)
	a.changed(applied...) // whatever else has failed
	return err
}

// changed tells of the objects that were changed. One that failed or stayed as it was has no
// verb.
func (a applier) changed(all ...cluster.Applied) {
	for _, applied := range all {
		if applied.Verb != cluster.Unchanged {
			a.tell.Changed(host.Change{Op: host.OpObject, Verb: host.Verb(applied.Verb), Target: applied.Object})
		}
	}
}
