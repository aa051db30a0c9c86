package host

import (
	"errors"
	"io/fs"
)

// Adopt puts files, directories or trees that somebody else made into the ledger as if
// this Host had made them, so that reset removes them. It looks past those that are not
// there. Nothing on the machine changes.
func (h *Host) Adopt(op Op, paths ...string) error {
	var errs []error
	for _, path := range paths {
		errs = append(errs, h.adoptPath(op, path))
	}
	return errors.Join(errs...)
}

func (h *Host) adoptPath(op Op, path string) error {
	w, err := h.walk(path, walkRemove)
	defer w.close()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	p := w.place()
	now, err := h.state(p)
	if err != nil || now.Kind == Absent || (op == OpFile) != (now.Kind == File) {
		return err
	}
	before := State{Kind: Absent}
	if op == OpTree {
		id, err := mountOf(p.dir, p.name)
		if err != nil {
			return p.wrap("stat", err)
		}
		if id.root { // a mount point belongs to the machine: undo only empties it
			now.Mount = true
			before = now
		}
	}
	return h.adopt(effect{key: key{op, p.path}, on: p.on, before: before, after: now})
}

// adopt reports no Change, as nothing on the machine changes.
func (h *Host) adopt(e effect) error { return h.Under("adopt", nil).For(Adopted).make(e, nothing) }

// AdoptUnit puts a unit that runs into the ledger as if this Host had started it, so
// that reset stops it.
func (h *Host) AdoptUnit(name string) error {
	return h.adopt(effect{key: key{OpActive, name}, before: State{Value: unitStopped}, after: State{Value: unitRuns}})
}
