package host

import (
	"io/fs"
	"slices"
	"sync"
)

// plan is what a Host that only plans would have changed by now. Its questions are
// answered as if that were so; a nil plan knows nothing.
type plan struct {
	mu        sync.Mutex
	paths     map[string]State
	content   map[string][]byte
	units     map[string]UnitState
	emptied   []string // trees
	unmounted []string
}

func newPlan() *plan {
	return &plan{paths: map[string]State{}, content: map[string][]byte{}, units: map[string]UnitState{}}
}

// OpenPlan is Open for a Host that only plans. It reads the machine, tells what it
// would change, and goes on as if that were done. It takes no lock and writes nothing.
func OpenPlan(root string, units Units) (*Host, error) {
	h, err := openRoot(root, units)
	if err != nil {
		return nil, err
	}
	if h.ledger, err = readLedger(h.Path("/")); err != nil {
		h.dir.Close()
		return nil, err
	}
	h.ledger.dry = true
	h.plan = newPlan()
	return h, nil
}

// Plans tells whether this Host only plans.
func (h *Host) Plans() bool { return h.plan != nil }

// state is what is at a place, or would be by now.
func (h *Host) state(p place) (State, error) {
	if s, ok := h.plan.at(p.path); ok {
		return s, nil
	}
	if p.dir == nil {
		return State{Kind: Absent}, nil
	}
	return p.state()
}

func (p *plan) at(path string) (State, bool) {
	if p == nil {
		return State{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.paths[path]
	return s, ok
}

// put makes the plan know what is at a path. data is nil if nobody will read it.
func (p *plan) put(path string, s State, data []byte) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paths[path] = s
	p.content[path] = data
}

// read is the content that a file would have. ok is false if the plan has none to
// give, and the machine's own counts.
func (p *plan) read(path string) (data []byte, ok bool, err error) {
	s, ok := p.at(path)
	if !ok {
		return nil, false, nil
	}
	if s.Kind != File {
		return nil, true, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	data, ok = p.content[path]
	return data, ok && data != nil, nil
}

func (p *plan) unit(name string) (UnitState, bool) {
	if p == nil {
		return UnitState{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.units[name]
	return s, ok
}

func (p *plan) setUnit(name string, s UnitState) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.units[name] = s
}

func (p *plan) empty(path string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.emptied = append(p.emptied, path)
}

func (p *plan) isEmptied(path string) bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.emptied, path)
}

func (p *plan) unmount(path string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unmounted = append(p.unmounted, path)
}

func (p *plan) isUnmounted(path string) bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.unmounted, path)
}
