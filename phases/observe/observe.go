// Package observe looks at what is: the machine, the kubelet, the container runtime, the
// files and the certificates of this node, whoever made them. It must not change anything,
// and must not decide what is wrong: package diagnose does.
package observe

import (
	"time"

	"bootstrap/phases/bundle"
	"bootstrap/phases/cluster"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
	"bootstrap/phases/state"
)

// Observer looks at a node. It knows what should be there, and has all that it needs to look.
type Observer struct {
	spec.Spec
	Host      *host.Host
	Bundle    *bundle.Bundle     // nil without one
	Catalogue diagnose.Catalogue // of what can be wrong
	Tell      plan.Teller
	API       *cluster.Pool // clients of this node's API server
	Ignore    []string      // IDs of findings that are passed over
	Built     time.Time     // when this program's source was; no clock is before it. Zero if unknown
}

// Open makes an Observer that has chosen, by looking at the machine, which container runtime and
// which pod network this node uses.
func Open(o Observer) *Observer {
	o.API = &cluster.Pool{}
	if o.Config != nil {
		o.Choices = o.choose()
	}
	return &o
}

// State is what was made on this machine before.
func (o *Observer) State() *state.State { return &state.State{Spec: o.Spec, Host: o.Host} }
