package phases

import (
	"path/filepath"

	"bootstrap/phases/host"
	"bootstrap/phases/spec"
	"bootstrap/phases/state"
)

// Reset is the plan of bootstrap reset. It needs neither API server nor network. Where a
// control plane was made beside a standalone kubelet's pods, that kubelet goes as well.
func Reset() Plan {
	return Plan{
		{leaveCluster},
		{stopKubelet},
		{removePods},
		{removeImages},
		{removeLeftovers},
		{leaveStaticPods},
		{undoAll},
	}
}

// Keep is what reset leaves where it is, and in the ledger: another init uses it,
// another reset removes it.
type Keep struct {
	Images  bool
	Runtime bool // and what it needs: programs, configuration, kernel settings, network
	Etcd    bool // the data, and the keys: pods trust the CA that they began with
}

// keeps picks the records of what is kept.
func (k Keep) keeps(r host.Record) bool {
	switch {
	case k.Runtime && (r.Purpose == host.Runtime || r.Op == host.OpImage):
		return true
	case k.Images && (r.Op == host.OpImage || r.Target == spec.ContainerdDir && r.Op == host.OpTree):
		return true
	}
	return k.Etcd && (r.Purpose == host.Certificates || r.Purpose == host.Etcd && (r.Op == host.OpTree || filepath.Dir(r.Target) == state.ClusterRecord))
}
