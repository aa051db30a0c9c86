package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// The questions that effects ask the ledger, and its end.

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

func (l *ledger) isStale() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stale
}

// ours tells whether path or a directory above it is there because of us.
func (l *ledger) ours(path string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range above(path) {
		if r := l.open[key{OpDir, p}]; r != nil && r.made() {
			return true
		}
		if l.open[key{OpTree, p}] != nil {
			return true
		}
	}
	return false
}

// names tells whether path itself is in the ledger.
func (l *ledger) names(path string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open[key{OpDir, path}] != nil || l.open[key{OpFile, path}] != nil || l.open[key{OpTree, path}] != nil
}

// inTree tells whether path is or lies below a tree that is ours whatever is in it.
func (l *ledger) inTree(path string) bool { return l.inOlderTree(path, len(l.records)+1) }

// inOlderTree is inTree for trees that are undone after the record of this id.
func (l *ledger) inOlderTree(path string, id int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range above(path) {
		if r := l.open[key{OpTree, p}]; r != nil && r.ID < id {
			return true
		}
	}
	return false
}

// outdated tells whether a file changed after the unit was last started.
func (l *ledger) outdated(unit string, files []string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, file := range files {
		if l.changed[file] > l.started[unit] {
			return true
		}
	}
	return false
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
	if err := removeIfThere(l.path("ledger")); err != nil {
		return err
	}
	if err := l.removeDirs(); err != nil {
		return err
	}
	fresh, err := readLedger(l.root)
	if err != nil {
		return err
	}
	made := l.made
	l.restart(fresh)
	return leftBehind(l.root, made)
}

// removeDirs removes the ledger's own directory, whoever made it, and those that were
// made for it, unless others use them.
func (l *ledger) removeDirs() error {
	dirs := l.made
	if !slices.Contains(dirs, ledgerDir) {
		dirs = append([]string{ledgerDir}, dirs...)
	}
	for _, dir := range dirs {
		err := unix.Rmdir(filepath.Join(l.root, dir))
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.EBUSY) {
			return &os.PathError{Op: "remove", Path: dir, Err: err}
		}
	}
	return nil
}

// leftBehind names what somebody put beside the ledger.
func leftBehind(root string, made []string) error {
	for _, dir := range made {
		names, err := os.ReadDir(filepath.Join(root, dir))
		if err == nil && len(names) > 0 && dir == ledgerDir {
			return &LeftoverError{Path: dir, Left: []string{shellQuote(names[0].Name())}}
		}
	}
	return nil
}

// restart makes the ledger know only what fresh knows.
func (l *ledger) restart(fresh *ledger) {
	l.size, l.records, l.open, l.made = fresh.size, fresh.records, fresh.open, fresh.made
	l.stale, l.changed, l.started, l.events = fresh.stale, fresh.changed, fresh.started, fresh.events
	l.notes, l.last = fresh.notes, fresh.last
}

// isAtOrAbove tells whether path is a directory that the ledger makes for itself.
func isAtOrAbove(path string) bool {
	for dir := range above(ledgerDir) {
		if dir == path {
			return true
		}
	}
	return false
}
