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
	return h.writeTheirs(w.place(), content{State: fileState(mode, sumOf(data)), data: data, shown: true, theirs: true})
}

// RemoveUnrecorded removes such a file. It is false when there was none.
func (h *Host) RemoveUnrecorded(path string) (changed bool, err error) {
	w, err := h.find(path)
	if w == nil {
		return false, err
	}
	defer w.close()
	return h.writeTheirs(w.place(), content{State: State{Kind: Absent}, theirs: true})
}

func (h *Host) writeTheirs(p place, want content) (changed bool, err error) {
	if h.Recorded(p.path) {
		return false, fmt.Errorf("%s is in the ledger: it is bootstrap's, not the user's", p.path)
	}
	return h.writeAt(p, want)
}

// Changed is when a file was written, renamed, or changed its mode or owner (ctime).
func (h *Host) Changed(path string) (time.Time, error) {
	var st unix.Stat_t
	if err := unix.Stat(h.Path(path), &st); err != nil {
		return time.Time{}, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return time.Unix(st.Ctim.Unix()), nil
}
