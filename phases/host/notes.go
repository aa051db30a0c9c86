package host

import (
	"os"
	"slices"
)

// What a run leaves in the ledger for those after it, beside its effects.

// HasLedger tells whether there is a ledger on the disk, also one without a record, or
// one of which a run that was killed has removed a part.
func (h *Host) HasLedger() bool {
	entries, err := os.ReadDir(h.ledger.path(""))
	ours := func(e os.DirEntry) bool { return e.Name() == "ledger" || e.Name() == "saved" }
	return err == nil && (len(entries) == 0 || slices.ContainsFunc(entries, ours))
}

// Remember keeps a value under a name, as long as there is a ledger.
func (h *Host) Remember(name, value string) error {
	if now, ok := h.Recall(name); ok && now == value {
		return nil
	}
	return h.ledger.log(event{Event: evNote, Target: name, Value: value}, true)
}

// Recall gives what Remember kept.
func (h *Host) Recall(name string) (value string, ok bool) {
	h.ledger.mu.Lock()
	defer h.ledger.mu.Unlock()
	value, ok = h.ledger.notes[name]
	return value, ok
}

// End records that a run came to its end.
func (h *Host) End() error {
	if _, open := h.Unfinished(); !open {
		return nil
	}
	return h.ledger.log(event{Event: evEnd}, true)
}

// Unfinished is the last effect of a run that did not come to its end. What was Mended is not
// of such a run.
func (h *Host) Unfinished() (Record, bool) {
	h.ledger.mu.Lock()
	defer h.ledger.mu.Unlock()
	if h.ledger.last == nil {
		return Record{}, false
	}
	return *h.ledger.last, true
}
