package host

import (
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// WriteUnrecorded is WriteFile for a file that is the user's own, such as the manifest of
// a static pod: no record is made, and so no reset removes it. Its directory must be there.
func (h *Host) WriteUnrecorded(path string, data []byte, mode fs.FileMode) (changed bool, err error) {
	w, err := h.walk(path, walkRemove)
	defer w.close()
	if err != nil {
		return false, err
	}
	p, want := w.place(), content{State: fileState(mode, sumOf(data)), data: data, shown: true}
	now, err := h.unrecorded(p)
	if err != nil || now == want.State {
		return false, err
	}
	if err := h.checkOwner(p.path, now, want); err != nil {
		return false, err
	}
	change := Change{Op: OpFile, Verb: fileVerb(now, want.State), Target: p.path, Diff: h.diff(p, now, want)}
	return true, h.act(change, func() error { return p.replace(want.State, want.write) })
}

// RemoveUnrecorded removes such a file. It is false when there was none.
func (h *Host) RemoveUnrecorded(path string) (changed bool, err error) {
	w, err := h.find(path)
	if w == nil {
		return false, err
	}
	defer w.close()
	now, err := h.unrecorded(w.place())
	if err != nil || now.Kind == Absent {
		return false, err
	}
	return true, h.act(Change{Op: OpFile, Verb: Remove, Target: w.path()}, w.place().remove)
}

// unrecorded is what is at a place that must not be one of ours.
func (h *Host) unrecorded(p place) (State, error) {
	if h.ledger.names(p.path) {
		return State{}, fmt.Errorf("%s is in the ledger: it is bootstrap's, not the user's", p.path)
	}
	now, err := h.state(p)
	if err == nil && now.Kind == Dir {
		return State{}, fmt.Errorf("%s is a directory", p.path)
	}
	return now, err
}

// Changed is when a file was written, or came to its name.
func (h *Host) Changed(path string) (time.Time, error) {
	var st unix.Stat_t
	if err := unix.Stat(h.Path(path), &st); err != nil {
		return time.Time{}, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return time.Unix(st.Ctim.Unix()), nil
}
