// Package observe looks at what is: the machine, the kubelet, the container runtime, the
// files and the certificates of this node, whoever made them. It must not change anything,
// and must not decide what is wrong: package diagnose does.
package observe

import (
	"errors"
	"io/fs"
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
		network := spec.Network{Foreign: o.clustersNetwork().path, None: o.noNetwork()}
		o.Choices = spec.Choices{Runtime: o.chooseRuntime(), Network: network}
	}
	return &o
}

// State is what was made on this machine before.
func (o *Observer) State() *state.State { return &state.State{Spec: o.Spec, Host: o.Host} }

// Connect talks to this node's own API server as the kubeconfig's user.
func (o *Observer) Connect(kubeconfig string) (*cluster.Cluster, error) {
	data, err := o.Host.ReadFile(kubeconfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, plan.Hint(err, "run first: bootstrap init")
	}
	if err != nil {
		return nil, err
	}
	c, err := o.API.Connect(data, o.Config.APIServerURL())
	if err == nil && o.Host.Plans() {
		c = c.Plan()
	}
	return c, err
}

// ConnectForHealth talks to it as super-admin, whose rights need nothing in the cluster,
// or as admin where that kubeconfig was taken away.
func (o *Observer) ConnectForHealth() (*cluster.Cluster, error) {
	c, err := o.Connect(spec.SuperAdminConf)
	if errors.Is(err, fs.ErrNotExist) {
		return o.Connect(spec.AdminConf)
	}
	return c, err
}
