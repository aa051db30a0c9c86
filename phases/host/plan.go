package host

import (
	"io/fs"
	"sync"

	"bootstrap/phases/machine"
)

// plan is what a Host that only plans would have changed by now. Its questions are
// answered as if that were so; a nil plan knows nothing.
type plan struct {
	mu      sync.Mutex
	targets map[string]planned // by paths and units' names
}

// planned is what a plan has made of a path or a unit.
type planned struct {
	State                        // without a Kind it is as on the machine
	data      []byte             // of a file; nil if nobody will read it
	emptied   bool               // nothing is left in this directory
	unmounted bool               // what is mounted here is gone
	unit      *machine.UnitState // nil for a path
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
	h.plan = &plan{targets: map[string]planned{}}
	return h, nil
}

// Planning is a Host that only plans, upon the machine as it is now.
func (h *Host) Planning() (*Host, error) { return OpenPlan(h.Path("/"), h.units) }

// Plans tells whether this Host only plans.
func (h *Host) Plans() bool { return h.plan != nil }

// state is what is at a place, or would be by now.
func (h *Host) state(p place) (State, error) {
	if s := h.plan.at(p.path); s.Kind != "" {
		return s.State, nil
	}
	if p.dir == nil {
		return State{Kind: Absent}, nil
	}
	return p.state()
}

func (p *plan) at(target string) planned {
	if p == nil {
		return planned{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.targets[target]
}

func (p *plan) put(target string, s planned) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.targets[target] = s
}

// read is the content that a file would have. ok is false if the plan has none to
// give, and the machine's own counts.
func (p *plan) read(path string) (data []byte, ok bool, err error) {
	s := p.at(path)
	if s.Kind == Absent || s.Kind == Dir {
		return nil, true, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return s.data, s.data != nil, nil
}
