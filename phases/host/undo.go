package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	return h.quietly(func() error { return removeIfThere(h.ledger.saved(r.ID)) })
}

// UndoAll undoes every record, newest first, save those that keep (which may be nil)
// picks and the directories above them. It goes on after errors. Units that ran before
// are started last, with their files as they were. When nothing is left the ledger is
// forgotten.
func (h *Host) UndoAll(ctx context.Context, keep func(Record) bool) error {
	var errs []error
	var last []Record // units that ran, and settings that change along with others
	kept := keptRecords(h.Entries(), keep)
	for _, r := range slices.Backward(h.Entries()) {
		if r.Undone || kept[r.ID] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, context.Cause(ctx))...)
		}
		if r.isKept() || r.Op == OpActive && r.Before.Value == unitRuns {
			last = append(last, r)
			continue
		}
		errs = append(errs, h.Undo(ctx, r))
	}
	errs = append(errs, h.Reload(ctx))
	for _, r := range last {
		errs = append(errs, h.Undo(ctx, r))
	}
	if err := errors.Join(errs...); err != nil || len(kept) > 0 {
		return err
	}
	return h.Forget()
}

// keptRecords are the ids of what keep picks, and of the directories above that.
func keptRecords(all []Record, keep func(Record) bool) map[int]bool {
	kept, parents := map[int]bool{}, map[string]bool{}
	for _, r := range slices.Backward(all) {
		if r.Undone || keep == nil || !keep(r) && (r.Op != OpDir || !parents[r.Target]) {
			continue
		}
		kept[r.ID] = true
		if strings.HasPrefix(r.Target, "/") {
			for dir := range above(r.Target) {
				parents[dir] = true
			}
		}
	}
	return kept
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
		return h.undoAt(r, func(p place, r Record) error { return h.undoTree(ctx, p, r) })
	case OpEnabled:
		return h.undoEnabled(ctx, r)
	case OpActive:
		return h.undoActive(ctx, r)
	case OpSysctl:
		return h.undoSysctl(r)
	case OpRules:
		return h.undoRules(ctx, r)
	case OpModule:
		return nil // see LoadModule
	case OpImage:
		return errors.New("the container runtime still has it")
	}
	return fmt.Errorf("unknown effect %q", r.Op)
}

func (h *Host) undoAt(r Record, undo func(place, Record) error) error {
	w, err := h.walk(r.Target, walkUndo)
	defer w.close()
	// What lay in a directory of ours has gone with it; a file of others is missed.
	if errors.Is(err, fs.ErrNotExist) && (r.made() || r.Op != OpFile || r.Shared) {
		return nil
	}
	if err != nil {
		return err
	}
	p := w.place()
	if p.on != r.On {
		return &OtherMountError{Path: r.Target, Was: r.On, Is: p.on}
	}
	return undo(p, r)
}

func (h *Host) undoFile(p place, r Record) error {
	if err := h.quietly(p.temp().remove); err != nil {
		return err
	}
	now, err := h.state(p)
	if err != nil || now == r.Before {
		return err
	}
	verb, do := Restore, func() error { return h.restore(p, r) }
	switch {
	case r.Shared && (now.Kind == Absent || now.SHA256 == r.Before.SHA256):
		return nil // its owner wants it so
	case now.Kind == File && now.SHA256 == r.Before.SHA256:
		verb, do = Chmod, func() error { return p.setOwnerAndMode(r.Before) }
	case now.Kind != Absent && !r.isOurs(now) && !h.mayRemove(p.path, r):
		return &ChangedError{Path: p.path, Shared: r.Shared}
	case r.made():
		verb, do = Remove, p.remove
	}
	err = h.act(Change{Op: OpFile, Verb: verb, Target: p.path}, do)
	if err == nil {
		h.plan.put(p.path, r.Before, nil)
	}
	return err
}

// mayRemove tells whether a file that was changed since we wrote it goes all the
// same: it lies where nobody but us was before.
func (h *Host) mayRemove(path string, r Record) bool {
	return !r.Shared && (h.ledger.inTree(path) || (r.made() && h.ledger.ours(filepath.Dir(path))))
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
	now, err := h.state(p)
	if err != nil || now == r.Before {
		return err
	}
	switch now.Kind {
	case Absent:
		return nil
	case File:
		return &ChangedError{Path: p.path}
	}
	if r.Before.Kind == Dir {
		return h.act(Change{Op: OpDir, Verb: Chmod, Target: p.path}, func() error { return p.setOwnerAndMode(r.Before) })
	}
	left, err := h.leftIn(p)
	if err != nil {
		return err
	}
	if len(left) == 0 {
		return h.removeDir(p)
	}
	if h.ledger.inOlderTree(p.path, r.ID) {
		return nil // it goes later, with all that is in it
	}
	isOurs := func(name string) bool { return h.ledger.names(filepath.Join(p.path, name)) }
	if r.Shared && !slices.ContainsFunc(left, isOurs) {
		return nil // its owner has come to need it
	}
	return h.leftover(p, left)
}

// leftover names a mount before anything else: it is what the user has to see to.
func (h *Host) leftover(p place, left []string) error {
	dir, err := openDir(p.dir, p.name)
	if err != nil {
		return p.wrap("open", err)
	}
	defer dir.Close()
	var theirs, ours []string
	for _, name := range left {
		path := filepath.Join(p.path, name)
		if id, err := mountOf(dir, name); err == nil && id.root {
			return &MountError{Path: path}
		}
		if h.ledger.names(path) {
			ours = append(ours, shellQuote(name))
		} else {
			theirs = append(theirs, shellQuote(name))
		}
	}
	all := append(theirs, ours...) // ours has an error of its own
	return &LeftoverError{Path: p.path, Left: all[:min(len(all), 3)]}
}

func (h *Host) removeDir(p place) error {
	err := h.act(Change{Op: OpDir, Verb: Remove, Target: p.path}, func() error {
		return errors.Join(p.unlink(unix.AT_REMOVEDIR), p.dir.Sync())
	})
	if err == nil {
		h.plan.put(p.path, State{Kind: Absent}, nil)
	}
	return err
}

// leftIn is the names in a directory, without those that a plan has removed.
func (h *Host) leftIn(p place) ([]string, error) {
	if h.plan.isEmptied(p.path) {
		return nil, nil
	}
	dir, err := openDir(p.dir, p.name)
	if err != nil {
		return nil, p.wrap("open", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	names = slices.DeleteFunc(names, func(name string) bool {
		s, ok := h.plan.at(filepath.Join(p.path, name))
		return ok && s.Kind == Absent
	})
	slices.Sort(names)
	return names, err
}

func (h *Host) undoEnabled(ctx context.Context, r Record) error {
	now, err := h.unitFile(ctx, r.Target)
	if err != nil {
		return err
	}
	verb, do := Enable, h.units.Enable
	if r.Before.Value != "enabled" {
		verb, do = Disable, h.units.Disable
	}
	if (now.Enabled == "enabled") == (verb == Enable) {
		return nil
	}
	return h.act(Change{Op: OpEnabled, Verb: verb, Target: r.Target}, func() error { return do(ctx, r.Target) })
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
		return h.act(Change{Op: OpActive, Verb: Start, Target: r.Target}, func() error { return h.units.Start(ctx, r.Target) })
	}
	if strings.HasSuffix(r.Target, ".target") && now.Dependents != "" {
		return nil // others have come to need it
	}
	if now.Running() {
		return h.act(Change{Op: OpActive, Verb: Stop, Target: r.Target}, func() error { return h.stopForGood(ctx, r.Target) })
	}
	return h.quietly(func() error { return h.stopForGood(ctx, r.Target) })
}

// stopForGood stops a unit, ends what it left running, and makes systemd forget that
// it may have failed.
func (h *Host) stopForGood(ctx context.Context, unit string) error {
	now, err := h.UnitState(ctx, unit)
	if err == nil && now.Running() {
		err = h.units.Stop(ctx, unit)
	}
	if err == nil {
		err = h.endProcesses(ctx, now)
	}
	if err == nil {
		now, err = h.UnitState(ctx, unit)
	}
	if err == nil && now.Active == "failed" {
		err = h.units.ResetFailed(ctx, unit)
	}
	return err
}

// undoSysctl: a setting that is gone went with its module or its link, and one that
// others changed since is theirs.
func (h *Host) undoSysctl(r Record) error {
	now, err := h.SysctlValue(r.Target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	write := func() error { return h.writeSysctl(r.Target, r.Before.Value) }
	switch {
	case now == r.Before.Value:
		return nil
	case r.isKept():
		return h.quietly(write) // a plan can't tell whether the kernel will have changed it
	case now != r.After.Value:
		return nil
	}
	return h.act(Change{Op: OpSysctl, Verb: Set, Target: r.Target}, write)
}

func removeIfThere(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
