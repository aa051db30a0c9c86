package phases

import (
	"bootstrap/phases/cluster"
	"bootstrap/phases/host"
	"bootstrap/phases/spec"
)

// applier asks this node's own API server, as admin. What fails for a reason that may
// pass is tried again.
func (e *Env) applier() (*cluster.Cluster, error) {
	c, err := e.Connect(spec.AdminConf)
	if err != nil {
		return nil, err
	}
	return e.telling(c.Within(e.Config.APICallTimeout)), nil
}

// telling is the same cluster, of whose changed objects is told.
func (e *Env) telling(c *cluster.Cluster) *cluster.Cluster {
	return c.Telling(func(a cluster.Applied) {
		e.Tell.Changed(host.Change{Op: host.OpObject, Verb: host.Verb(a.Verb), Target: a.Object})
	})
}
