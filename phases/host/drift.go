package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"bootstrap/phases/machine"
)

// maxHashed is the size up to which a file's content is compared. Programs are larger,
// and reading them all would take a second: of those only the mode and owner are.
const maxHashed = 1 << 20 // bytes

// Drift finds the files that are no longer as the ledger says they were written. Those
// in a user's home are left out, as the user may change them.
func (h *Host) Drift(ctx context.Context) []machine.Drift {
	var drifted []machine.Drift
	for _, r := range h.Entries() {
		if ctx.Err() != nil {
			break
		}
		if r.Op != OpFile || r.Undone || !r.Done || r.Shared || r.After.Kind != File {
			continue
		}
		if what := h.driftOf(r); what != "" {
			drifted = append(drifted, machine.Drift{Path: r.Target, What: what})
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
	st, err := lstat(p.dir, p.name)
	now := stateOf(st)
	switch {
	case errors.Is(err, unix.ENOENT):
		return "gone"
	case err != nil:
		return err.Error()
	case now.Kind != File:
		return "no regular file any more"
	}
	var what []string
	if st.Size <= maxHashed {
		if sum, err := p.hash(); err != nil || sum != want.SHA256 {
			what = append(what, "changed")
		}
	}
	if now.Mode != want.Mode {
		what = append(what, fmt.Sprintf("mode %04o", now.Mode))
	}
	if now.UID != want.UID || now.GID != want.GID {
		what = append(what, fmt.Sprintf("owner %d:%d", now.UID, now.GID))
	}
	return strings.Join(what, ", ")
}
