package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Undo makes the record's target what it was before the first effect on it. Undone
// records are left alone. What others changed since is left too, and is an error.
func (h *Host) Undo(ctx context.Context, r Record) error {
	r, ok := h.ledger.find(key{r.Op, r.Target})
	if !ok {
		return nil
	}
	if err := h.undo(ctx, r); err != nil {
		return fmt.Errorf("undo %s %s: %w", r.Op, r.Target, err)
	}
	if err := h.ledger.undone(r.ID); err != nil {
		return err
	}
	return removeIfThere(h.ledger.saved(r.ID))
}

// UndoAll undoes every record, newest first, and forgets the ledger when all of it
// is undone. It goes on after errors, and tells report (which may be nil) of each.
func (h *Host) UndoAll(ctx context.Context, report func(Record, error)) error {
	var errs []error
	for _, r := range slices.Backward(h.Entries()) {
		if r.Undone {
			continue
		}
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		err := h.Undo(ctx, r)
		if report != nil {
			report(r, err)
		}
		errs = append(errs, err)
	}
	errs = append(errs, h.Reload(ctx))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return h.Forget()
}

// Forget removes the ledger and its directory. It is an error if a record is not
// undone.
func (h *Host) Forget() error {
	if err := h.ledger.forget(); err != nil {
		return fmt.Errorf("forget the ledger: %w", err)
	}
	return nil
}

func (h *Host) undo(ctx context.Context, r Record) error {
	switch r.Op {
	case OpFile:
		return h.undoAt(r, h.undoFile)
	case OpDir:
		return h.undoAt(r, h.undoDir)
	case OpTree:
		return h.undoAt(r, func(p place, r Record) error { return undoTree(ctx, p, r) })
	case OpEnabled:
		return h.undoEnabled(ctx, r)
	case OpActive:
		return h.undoActive(ctx, r)
	case OpSysctl:
		return h.undoSysctl(r)
	case OpModule:
		return nil // see LoadModule
	}
	return fmt.Errorf("unknown effect %q", r.Op)
}

func (h *Host) undoAt(r Record, undo func(place, Record) error) error {
	w, err := h.walk(r.Target, walkUndo)
	if w != nil {
		defer w.close()
	}
	if errors.Is(err, fs.ErrNotExist) && r.made() {
		return nil
	}
	if err != nil {
		return err
	}
	return undo(w.place(), r)
}

func (h *Host) undoFile(p place, r Record) error {
	if err := p.temp().remove(); err != nil {
		return err
	}
	now, err := p.state()
	if err != nil {
		return err
	}
	switch {
	case now == r.Before:
		return nil
	case now.Kind == File && now.SHA256 == r.Before.SHA256:
		return p.setOwnerAndMode(r.Before)
	case now.Kind != Absent && !r.isOurs(now) && !h.ledger.inTree(p.path):
		return &ChangedError{Path: p.path}
	case r.made():
		return p.remove()
	}
	return h.restore(p, r)
}

func (h *Host) restore(p place, r Record) error {
	saved, err := os.Open(h.ledger.saved(r.ID))
	if err != nil {
		return fmt.Errorf("saved copy: %w", err)
	}
	defer saved.Close()
	return p.replace(r.Before, func(w io.Writer) error {
		_, err := io.Copy(w, saved)
		return err
	})
}

func (h *Host) undoDir(p place, r Record) error {
	now, err := p.state()
	if err != nil {
		return err
	}
	switch now.Kind {
	case Absent:
		return nil
	case File:
		return &ChangedError{Path: p.path}
	}
	if r.Before.Kind == Dir {
		return p.setOwnerAndMode(r.Before)
	}
	err = p.unlink(unix.AT_REMOVEDIR)
	if errors.Is(err, unix.ENOTEMPTY) {
		if h.ledger.inTree(p.path) {
			return nil // the tree is older, so it goes later, with all that is in it
		}
		return p.leftover()
	}
	return errors.Join(err, p.dir.Sync())
}

func (p place) leftover() error {
	dir, err := openDir(p.dir, p.name)
	if err != nil {
		return p.wrap("open", err)
	}
	defer dir.Close()
	return &LeftoverError{Path: p.path, Left: firstNames(dir)}
}

func (h *Host) undoEnabled(ctx context.Context, r Record) error {
	now, err := h.UnitState(ctx, r.Target)
	if err != nil {
		return err
	}
	switch {
	case r.Before.Value == "enabled" && now.Enabled != "enabled":
		return h.units.Enable(ctx, r.Target)
	case r.Before.Value != "enabled" && now.Enabled == "enabled":
		return h.units.Disable(ctx, r.Target)
	}
	return nil
}

func (h *Host) undoActive(ctx context.Context, r Record) error {
	now, err := h.UnitState(ctx, r.Target)
	if err != nil {
		return err
	}
	if r.Before.Value == unitRuns {
		if now.Running() {
			return nil
		}
		return h.units.Start(ctx, r.Target)
	}
	if now.Running() {
		if err := h.units.Stop(ctx, r.Target); err != nil {
			return err
		}
		if now, err = h.UnitState(ctx, r.Target); err != nil {
			return err
		}
	}
	if now.Active == "failed" {
		return h.units.ResetFailed(ctx, r.Target)
	}
	return nil
}

// undoSysctl: a setting that is gone went with its module or its link.
func (h *Host) undoSysctl(r Record) error {
	now, err := h.readSysctl(r.Target)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && now == r.Before.Value) {
		return nil
	}
	if err != nil {
		return err
	}
	return h.writeSysctl(r.Target, r.Before.Value)
}

func removeIfThere(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
