package cluster

import "sync"

// Pool keeps the clients of one run, by kubeconfig: each phase would shake hands anew.
// The zero value is empty; it may be used by several goroutines.
type Pool struct {
	mu  sync.Mutex
	all map[string]*Cluster
}

// Connect is like the function of that name, but gives a client that was made before for
// the same kubeconfig.
func (p *Pool) Connect(kubeconfig []byte, server string) (*Cluster, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.all[string(kubeconfig)]; ok {
		return known, nil
	}
	made, err := Connect(kubeconfig, server)
	if err != nil {
		return nil, err
	}
	if p.all == nil {
		p.all = map[string]*Cluster{}
	}
	p.all[string(kubeconfig)] = made
	return made, nil
}
