package observe

import (
	"errors"
	"io/fs"

	"bootstrap/phases/cluster"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

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
