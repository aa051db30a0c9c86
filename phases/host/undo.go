package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bootstrap/phases/machine"

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
	return h.quietly(func() error { return os.RemoveAll(h.ledger.saved(r.ID)) })
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
		if r.isRestored() || r.Op == OpActive && r.Before.Value == unitRuns {
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
	if err := h.ledger.forget(); err != nil {
		return fmt.Errorf("forget the ledger: %w", err)
	}
	return nil
}

// keptRecords are the ids of the records that keep picks, and of the directories above
// their targets.
func keptRecords(all []Record, keep func(Record) bool) map[int]bool {
	kept, parents := map[int]bool{}, map[string]bool{}
	for _, r := range slices.Backward(all) {
		if r.Undone || keep == nil || !keep(r) && (r.Op != OpDir || !parents[r.Target]) {
			continue
		}
		kept[r.ID] = true
		for dir := range above(r.Target) { // the name of a unit or a setting gives no folder's path
			parents[dir] = true
		}
	}
	return kept
}

func (h *Host) undo(ctx context.Context, r Record) error {
	switch r.Op {
	case OpFile, OpDir, OpTree:
		return h.undoPath(ctx, r)
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

func (h *Host) undoPath(ctx context.Context, r Record) error {
	w, err := h.walk(r.Target, walkUndo)
	defer w.close()
	// A directory above is gone, and with it what bootstrap had made there. That a file
	// of others can't be restored is an error.
	if errors.Is(err, fs.ErrNotExist) && (r.made() || r.Op != OpFile || r.Shared) {
		return nil
	}
	if err != nil {
		return err
	}
	p := w.place()
	if p.on != r.On {
		return otherMount(r.Target, r.On, p.on)
	}
	now, err := h.state(p)
	switch {
	case err != nil:
		return err
	case r.Op == OpFile:
		return h.undoFile(p, r, now)
	case now.Kind == Absent:
		return nil
	case now.Kind == File && r.After.Kind == File: // see OwnFile
		return h.removeName(p, OpTree, 0)
	case now.Kind == File:
		return changedByOther(r)
	case r.Op == OpTree:
		return h.undoTree(ctx, p, r)
	}
	return h.undoDir(p, r, now)
}

func (h *Host) undoFile(p place, r Record, now State) error {
	if err := h.quietly(p.temp().remove); err != nil || now == r.Before {
		return err
	}
	unchanged := now.Kind == File && now.SHA256 == r.Before.SHA256
	switch {
	case r.Shared && (now.Kind == Absent || now.SHA256 == r.Before.SHA256):
		return nil // the user has removed it, or put back what was there before
	case now.Kind != Absent && !unchanged && !r.isOurs(now) && !h.mayRemove(p.path, r):
		return changedByOther(r)
	}
	verb := fileVerb(now, r.Before)
	if verb == Create || verb == Update {
		verb = Restore
	}
	before := content{State: r.Before, stream: func(w io.Writer) error { return h.ledger.copySaved(r.ID, w) }}
	err := h.Do(OpFile, verb, p.path, func() error { return p.become(now, before) })
	if err == nil {
		h.plan.put(p.path, planned{State: r.Before})
	}
	return err
}

// mayRemove tells whether a file is removed although others changed it: it lies in a tree
// or a directory that bootstrap made, where nothing else was before.
func (h *Host) mayRemove(path string, r Record) bool {
	return !r.Shared && (h.ledger.inTree(path, math.MaxInt) || (r.made() && h.ledger.ours(filepath.Dir(path))))
}

func (h *Host) undoDir(p place, r Record, now State) error {
	if now == r.Before {
		return nil
	}
	if r.Before.Kind == Dir {
		return h.Do(OpDir, Chmod, p.path, func() error { return p.setOwnerAndMode(r.Before) })
	}
	dir, err := openDir(p.dir, p.name)
	if err != nil {
		return p.wrap("open", err)
	}
	defer dir.Close()
	left, err := h.leftIn(p.path, dir)
	if err != nil {
		return err
	}
	if len(left) == 0 {
		return h.removeName(p, OpDir, unix.AT_REMOVEDIR)
	}
	if h.ledger.inTree(p.path, r.ID) {
		return nil // it is removed later, with all of the tree that it lies in
	}
	isOurs := func(name string) bool { return h.Recorded(filepath.Join(p.path, name)) }
	if r.Shared && !slices.ContainsFunc(left, isOurs) {
		return nil // the user keeps other things in it by now
	}
	for _, name := range left { // a mount is what the user has to see to first
		if id, err := mountOf(dir, name); err == nil && id.root {
			return mountInTheWay(filepath.Join(p.path, name))
		}
	}
	theirs := slices.DeleteFunc(slices.Clone(left), isOurs)
	ours := slices.DeleteFunc(left, func(name string) bool { return !isOurs(name) }) // each has an error of its own
	return notEmpty(p.path, append(theirs, ours...))
}

// removeName removes a file, or, with that flag, an empty directory.
func (h *Host) removeName(p place, op Op, flag int) error {
	err := h.Do(op, Remove, p.path, func() error {
		return errors.Join(p.unlink(flag), p.dir.Sync())
	})
	if err == nil {
		h.plan.put(p.path, planned{State: State{Kind: Absent}})
	}
	return err
}

// leftIn is the names in a directory, without those that a plan has removed.
func (h *Host) leftIn(path string, dir *os.File) ([]string, error) {
	if h.plan.at(path).emptied {
		return nil, nil
	}
	names, err := namesIn(dir)
	return slices.DeleteFunc(names, func(name string) bool {
		return h.plan.at(filepath.Join(path, name)).Kind == Absent
	}), err
}

func (h *Host) undoEnabled(ctx context.Context, r Record) error {
	now, err := h.unitFile(ctx, r.Target)
	if err != nil {
		return err
	}
	verb := Disable
	if r.Before.Value == "enabled" {
		verb = Enable
	}
	if (now.Enabled == "enabled") == (verb == Enable) {
		return nil
	}
	return h.Do(OpEnabled, verb, r.Target, func() error { return h.units.Do(ctx, verb, r.Target) })
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
		return h.Do(OpActive, Start, r.Target, func() error { return h.units.Do(ctx, Start, r.Target) })
	}
	if strings.HasSuffix(r.Target, ".target") && now.Needed {
		return nil // units of others need it by now
	}
	stop := func() error { return h.stopForGood(ctx, r.Target, now) }
	if now.Running() {
		return h.Do(OpActive, Stop, r.Target, stop)
	}
	return h.quietly(stop)
}

// stopForGood stops a unit, ends what it left running, and makes systemd forget that
// it may have failed.
func (h *Host) stopForGood(ctx context.Context, unit string, now machine.UnitState) error {
	if now.Running() {
		if err := h.units.Do(ctx, Stop, unit); err != nil {
			return err
		}
	}
	if err := h.endProcesses(ctx, now); err != nil {
		return err
	}
	now, err := h.UnitState(ctx, unit)
	if err == nil && now.Active == "failed" {
		err = h.units.Do(ctx, ResetFailed, unit)
	}
	return err
}

// undoSysctl leaves alone a setting that others have changed since. One that is gone
// belonged to a kernel module or network link that is gone.
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
	case r.isRestored():
		return h.quietly(write) // reported by no plan: it can't know what the kernel will do
	case now != r.After.Value:
		return nil
	}
	return h.Do(OpSysctl, Set, r.Target, write)
}
