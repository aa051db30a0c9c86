package cluster

import "sync"

// Pool keeps the clients of one run, by kubeconfig: each phase would shake hands anew.
// The zero value is empty; it may be used by several goroutines.
type Pool struct{ all sync.Map }

// Connect is like the function of that name, but gives a client that was made before for
// the same kubeconfig.
func (p *Pool) Connect(kubeconfig []byte, server string) (*Cluster, error) {
	if known, ok := p.all.Load(string(kubeconfig)); ok {
		return known.(*Cluster), nil
	}
	made, err := Connect(kubeconfig, server)
	if err != nil {
		return nil, err
	}
	known, _ := p.all.LoadOrStore(string(kubeconfig), made)
	return known.(*Cluster), nil
}
