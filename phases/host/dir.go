package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// MakeDir makes path a directory, and those above it with mode 0755. A directory that
// was there before bootstrap only loses the permissions that mode doesn't have; it gets
// none that it did not have.
func (h *Host) MakeDir(path string, mode fs.FileMode) error {
	w, err := h.walkPerm(path, walkMake, mode)
	defer w.close()
	if err != nil || w.made || w.top().dir == nil {
		return err
	}
	return h.mendDir(w, uint32(mode.Perm()))
}

// makeDir makes one directory, whose parent is there, and opens it. In a plan there is
// nothing to open, and dir is nil.
func (h *Host) makeDir(p place, want State, shared bool) (dir *os.File, err error) {
	if isAtOrBelow(ledgerDir, p.path) {
		return h.ledgersDir(p)
	}
	e := effect{key: key{OpDir, p.path}, on: p.on, verb: Create, before: State{Kind: Absent}, after: want, shared: shared}
	err = h.make(e, func() error {
		dir, err = p.mkdir(want)
		return err
	})
	if err != nil {
		dir.Close() // does nothing to nil
		return nil, err
	}
	h.plan.put(p.path, planned{State: want})
	return dir, err
}

// mkdir makes a directory with the owner and mode of want, and opens it. One that a run
// before made, and did not live to finish, is taken as it is.
func (p place) mkdir(want State) (*os.File, error) {
	err := unix.Mkdirat(int(p.dir.Fd()), p.name, 0o700)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, err
	}
	dir, err := openDir(p.dir, p.name)
	if err != nil {
		return nil, err
	}
	err = p.giveAway(dir, want)
	if err == nil {
		err = errors.Join(dir.Sync(), p.dir.Sync())
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// giveAway gives a directory that was just made its owner and mode. A user in whose
// home it lies could have put another directory of root's under that name since: one
// with something in it is never given to others.
func (p place) giveAway(dir *os.File, want State) error {
	if !ownUID(want.UID) {
		if _, err := dir.Readdirnames(1); !errors.Is(err, io.EOF) {
			return errors.Join(err, fmt.Errorf("%s is not empty, and was made just now", p.path))
		}
	}
	return applyOwnerAndMode(dir, want)
}

// ledgersDir makes and opens a directory in which the ledger lies. The ledger makes that
// by itself, as it can't hold a record of it before it is there.
func (h *Host) ledgersDir(p place) (*os.File, error) {
	if h.plan != nil {
		return nil, nil
	}
	h.ledger.mu.Lock()
	err := h.ledger.create()
	h.ledger.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return openDir(p.dir, p.name)
}

func (h *Host) mendDir(w *walker, mode uint32) error {
	dir, path := w.top().dir, w.top().path
	now, err := openState(dir)
	if err != nil {
		return err
	}
	want := now
	want.Mode &= mode
	if r, ok := h.ledger.find(key{OpDir, path}); ok && r.made() {
		want.Mode, want.UID, want.GID = mode, os.Geteuid(), os.Getegid()
	}
	if now == want {
		return nil
	}
	return h.make(effect{key: key{OpDir, path}, on: w.top().on, verb: Chmod, before: now, after: want}, func() error {
		return w.place().wrap("chmod", applyOwnerAndMode(dir, want))
	})
}

// OwnTree records that whatever appears below path is ours to remove. It makes the
// directories above path, not path. What is in it already stays, unless the directory is
// ours.
func (h *Host) OwnTree(path string) error {
	// Those above must stand before it in the ledger, so that they are undone after it.
	above, err := h.walk(filepath.Dir(filepath.Clean("/"+path)), walkMake)
	above.close()
	if err != nil {
		return err
	}
	w, err := h.walk(path, walkDir)
	defer w.close()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	k := key{OpTree, w.path()}
	if _, ok := h.ledger.find(k); ok {
		return h.settle(k, nothing)
	}
	e := effect{key: k, verb: Own, on: w.place().on, before: State{Kind: Absent}, after: State{Kind: Dir}}
	if err == nil {
		e.on = w.top().on
		if e.before, e.keep, err = h.treeState(w); err != nil {
			return err
		}
	}
	return h.make(e, nothing)
}

// OwnTrees is OwnTree for several.
func (h *Host) OwnTrees(paths ...string) error {
	for _, path := range paths {
		if err := h.OwnTree(path); err != nil {
			return err
		}
	}
	return nil
}

// OwnFile records that what a daemon may write to a file is ours to remove. A file that is there stays.
func (h *Host) OwnFile(path string) error {
	w, err := h.walk(path, walkWrite)
	defer w.close()
	if err != nil {
		return err
	}
	p := w.place()
	k := key{OpTree, p.path}
	if _, ok := h.ledger.find(k); ok {
		return h.settle(k, nothing)
	}
	now, err := h.state(p)
	if err != nil || now.Kind != Absent {
		return err
	}
	return h.make(effect{key: k, verb: Own, on: p.on, before: now, after: State{Kind: File}}, nothing)
}

// nothing is what is done for an effect that others bring about later.
func nothing() error { return nil }

func (h *Host) treeState(w *walker) (before State, keep []string, err error) {
	if len(w.passed) == 1 {
		return State{}, nil, errors.New("/ can't be ours")
	}
	before, err = openState(w.top().dir)
	if err != nil {
		return State{}, nil, err
	}
	if r, ok := h.ledger.find(key{OpDir, w.path()}); ok && !r.made() {
		before = r.Before // as it was before we changed its mode
	}
	if !h.ledger.ours(w.path()) {
		keep, err = namesIn(w.top().dir)
	}
	id, statErr := mountOf(w.top().dir, "")
	before.Mount = id.root
	return before, keep, errors.Join(err, statErr)
}

// namesIn is the names in a directory, sorted.
func namesIn(dir *os.File) ([]string, error) {
	again, err := openDir(dir, ".")
	if err != nil {
		return nil, err
	}
	defer again.Close()
	names, err := again.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}
