package host

import (
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// WriteUnrecorded is WriteFile for a file that is the user's own, such as the manifest of
// a static pod: no record is made, and so no reset removes it. Its directory must be there.
func (h *Host) WriteUnrecorded(path string, data []byte, mode fs.FileMode) (changed bool, err error) {
	want := content{State: fileState(mode, sumOf(data)), data: data, shown: true, theirs: true}
	return h.write(path, walkRemove, want)
}

// RemoveUnrecorded removes such a file. It is false when there was none.
func (h *Host) RemoveUnrecorded(path string) (changed bool, err error) {
	return h.write(path, walkRemove, content{State: State{Kind: Absent}, theirs: true})
}

// Changed is when a file was written, renamed, or changed its mode or owner (ctime).
func (h *Host) Changed(path string) (time.Time, error) {
	var st unix.Stat_t
	if err := unix.Stat(h.Path(path), &st); err != nil {
		return time.Time{}, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return time.Unix(st.Ctim.Unix()), nil
}
