package phases

import (
	"time"

	"bootstrap/phases/spec"
)

// KubeconfigUser is somebody who is to have a kubeconfig.
type KubeconfigUser struct {
	Name     string
	Groups   []string
	Validity time.Duration // zero: as the cluster's certificates
}

// UserKubeconfig gives a new kubeconfig, signed by the cluster's CA. It needs no API
// server, and takes nothing back: no rights come with it but the groups'.
func (e *Env) UserKubeconfig(u KubeconfigUser) ([]byte, error) {
	ca, err := e.readCA()
	if err != nil {
		return nil, err
	}
	leaf := e.ClientLeaf(spec.Identity{CommonName: u.Name, Organizations: u.Groups})
	if u.Validity != 0 {
		leaf.Validity = u.Validity
	}
	return e.issueKubeconfig(ca, leaf, spec.Identity{Server: e.Config.EndpointURL()})
}
