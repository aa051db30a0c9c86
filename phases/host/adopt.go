package host

// Adopt puts a file, directory or tree that somebody else made into the ledger as if
// this Host had made it, so that reset removes it. It is false when there is no such
// thing. Nothing on the machine changes.
func (h *Host) Adopt(op Op, path string) (found bool, err error) {
	w, err := h.find(path)
	if w == nil {
		return false, err
	}
	defer w.close()
	p := w.place()
	now, err := h.state(p)
	if err != nil || now.Kind == Absent || (op == OpFile) != (now.Kind == File) {
		return false, err
	}
	before := State{Kind: Absent}
	if op == OpTree {
		before, err = adoptedTree(p, now)
	}
	if err != nil {
		return false, err
	}
	err = h.adopt(effect{key: key{op, p.path}, on: p.on, before: before, after: now})
	return err == nil, err
}

// adopt reports no Change, as nothing on the machine changes.
func (h *Host) adopt(e effect) error { return h.Under("adopt", nil).For(Adopted).make(e, nothing) }

// adoptedTree is what undo makes of an adopted tree: it is gone, unless it is a mount
// point. That belongs to the machine, and is only emptied.
func adoptedTree(p place, now State) (State, error) {
	id, err := mountOf(p.dir, p.name)
	if err != nil || !id.root {
		return State{Kind: Absent}, p.wrap("stat", err)
	}
	now.Mount = true
	return now, nil
}

// AdoptUnit puts a unit that runs into the ledger as if this Host had started it, so
// that reset stops it.
func (h *Host) AdoptUnit(name string) error {
	return h.adopt(effect{key: key{OpActive, name}, before: State{Value: unitStopped}, after: State{Value: unitRuns}})
}
