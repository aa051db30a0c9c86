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

// Observer is who looks, and what is expected of the node that is looked at.
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

// Open completes what is known by what is decided once, by looking at the machine.
func Open(o Observer) *Observer {
	o.API = &cluster.Pool{}
	if o.Config != nil {
		o.Choices = o.choose()
	}
	return &o
}

// State is what was made on this machine before.
func (o *Observer) State() *state.State { return &state.State{Spec: o.Spec, Host: o.Host} }
