package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// Drift is a file that is not as it was written.
type Drift struct {
	Path string `json:"path"`
	What string `json:"what"` // gone, changed, mode 0644, owner 1000:1000
}

// maxHashed is the size up to which content is read: programs are larger, and reading
// them all takes a second. Of those, only that they are there, their mode and owner
// are looked at.
const maxHashed = 1 << 20 // bytes

// Drift looks which files are no longer as the ledger says they were written. Those in
// a user's home are that user's to change.
func (h *Host) Drift(ctx context.Context) []Drift {
	var drifted []Drift
	for _, r := range h.Entries() {
		if ctx.Err() != nil {
			break
		}
		if r.Op != OpFile || r.Undone || !r.Done || r.Shared || r.After.Kind != File {
			continue
		}
		if what := h.driftOf(r); what != "" {
			drifted = append(drifted, Drift{Path: r.Target, What: what})
		}
	}
	return drifted
}

func (h *Host) driftOf(r Record) string {
	w, err := h.walk(r.Target, walkUndo)
	defer w.close()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "gone"
	case err != nil:
		return err.Error()
	}
	return w.place().drift(r.After)
}

func (p place) drift(want State) string {
	var st unix.Stat_t
	err := unix.Fstatat(int(p.dir.Fd()), p.name, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case errors.Is(err, unix.ENOENT):
		return "gone"
	case err != nil:
		return err.Error()
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return "no regular file any more"
	}
	var what []string
	if st.Size <= maxHashed {
		if sum, err := p.hash(); err != nil || sum != want.SHA256 {
			what = append(what, "changed")
		}
	}
	if mode := uint32(st.Mode) & 0o7777; mode != want.Mode {
		what = append(what, fmt.Sprintf("mode %04o", mode))
	}
	if int(st.Uid) != want.UID || int(st.Gid) != want.GID {
		what = append(what, fmt.Sprintf("owner %d:%d", st.Uid, st.Gid))
	}
	return strings.Join(what, ", ")
}
