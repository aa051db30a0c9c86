package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
)

// Owner is a user of this machine in whose home bootstrap writes.
type Owner struct{ UID, GID int }

// ReadOwned reads a file in a user's home. The file must be that user's: by a link, say,
// users could have bootstrap read files that they may not read themselves.
func (h *Host) ReadOwned(path string, owner Owner) ([]byte, error) {
	w, err := h.walk(path, walkRemove)
	defer w.close()
	if err != nil {
		return nil, err
	}
	f, now, err := w.place().openRegular()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if now.UID != owner.UID {
		return nil, notTheUsers(path, now.UID, owner)
	}
	return io.ReadAll(f)
}

// WriteOwned makes a file in a user's home hold data, for that user alone to read. The
// directory that it lies in is made too; the home must be there. Undo leaves alone
// whatever the user has changed since.
func (h *Host) WriteOwned(path string, data []byte, owner Owner) (changed bool, err error) {
	if err := h.makeOwnedDir(filepath.Dir(path), owner); err != nil {
		return false, err
	}
	w, err := h.walk(path, walkRemove)
	defer w.close()
	planned := h.plan != nil && errors.Is(err, fs.ErrNotExist) // its directory is only planned
	if err != nil && !planned {
		return false, err
	}
	want := State{Kind: File, Mode: 0o600, UID: owner.UID, GID: owner.GID, SHA256: sumOf(data)}
	return h.writeAt(w.place(), content{State: want, data: data, shared: true})
}

func (h *Host) makeOwnedDir(path string, owner Owner) error {
	w, err := h.walk(path, walkRemove)
	defer w.close()
	if err != nil {
		return err
	}
	p := w.place()
	now, err := h.state(p)
	if err != nil {
		return err
	}
	r, ours := h.ledger.find(key{OpDir, p.path})
	begun := ours && !r.Done // by a run that was killed before it gave it to the user
	switch {
	case now.Kind == File:
		return fmt.Errorf("%s is not a directory", path)
	case now.Kind == Dir && now.UID == owner.UID:
		return h.settle(key{OpDir, p.path}, nothing)
	case now.Kind == Dir && !begun:
		return notTheUsers(path, now.UID, owner)
	}
	want := State{Kind: Dir, Mode: 0o700, UID: owner.UID, GID: owner.GID}
	dir, err := h.makeDir(p, want, true)
	dir.Close() // does nothing to nil, which a plan gives
	return p.wrap("mkdir", err)
}
