package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// What effects ask the ledger, and how it is removed in the end.

func (l *ledger) entries() []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]Record, 0, len(l.records))
	for _, r := range l.records {
		all = append(all, *r)
	}
	return all
}

func (l *ledger) find(k key) (Record, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.open[k]; r != nil {
		return *r, true
	}
	return Record{}, false
}

func (l *ledger) wantsReload() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reload
}

// ours tells whether path, or a directory above it, was made by bootstrap or is a tree
// of its.
func (l *ledger) ours(path string) bool {
	return l.anyAbove(path, func(r Record) bool { return r.Op == OpTree || r.Op == OpDir && r.made() })
}

// inTree tells whether path is, or lies below, a tree, whose record is older than that of
// this id: all that is in it goes with it, and later.
func (l *ledger) inTree(path string, id int) bool {
	return l.anyAbove(path, func(r Record) bool { return r.Op == OpTree && r.ID < id })
}

// anyAbove tells whether there is such a record of path or of a directory above it.
func (l *ledger) anyAbove(path string, is func(Record) bool) bool {
	for dir := range above(path) {
		if slices.ContainsFunc(l.at(dir), is) {
			return true
		}
	}
	return false
}

// at is the records of path itself.
func (l *ledger) at(path string) []Record {
	var all []Record
	for _, op := range []Op{OpFile, OpDir, OpTree} {
		if r, ok := l.find(key{op, path}); ok {
			all = append(all, r)
		}
	}
	return all
}

// changedSince tells whether a file changed after the unit was last started.
func (l *ledger) changedSince(unit, file string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed[file] > l.started[unit]
}

func (l *ledger) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := errors.Join(l.file.Sync(), l.file.Close())
	l.file = nil
	return err
}

// forget removes the ledger. The file goes before its directory, and after the
// saved copies, so that a kill in between leaves nothing that names missing copies.
func (l *ledger) forget() error {
	if n := len(l.open); n > 0 {
		return fmt.Errorf("%d effects in the ledger are not undone", n)
	}
	if l.dry {
		return nil
	}
	if err := l.close(); err != nil {
		return err
	}
	if err := os.RemoveAll(l.path("saved")); err != nil {
		return err
	}
	if err := os.RemoveAll(l.path("ledger")); err != nil {
		return err
	}
	made := l.made
	l.knowledge, l.size = newKnowledge(), 0
	return l.removeDirs(made)
}

// removeDirs removes the ledger's own directory, whoever made it, and those that were
// made for it, unless others use them. What somebody put beside the ledger is an error.
func (l *ledger) removeDirs(made []string) error {
	own := slices.Contains(made, ledgerDir)
	if !own {
		made = append([]string{ledgerDir}, made...)
	}
	for _, dir := range made {
		err := unix.Rmdir(filepath.Join(l.root, dir))
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.EBUSY) {
			return &os.PathError{Op: "remove", Path: dir, Err: err}
		}
	}
	if left, err := os.ReadDir(l.path("")); err == nil && len(left) > 0 && own {
		return notEmpty(ledgerDir, []string{left[0].Name()})
	}
	return nil
}
