package host

import "strconv"

// A layer is what was made upon a machine that was complete before, such as a control
// plane upon a standalone kubelet. Its effects have records of their own, also on targets
// that stand in the ledger already: so it can be undone alone, to the last byte.

// layerNote keeps the id of the newest record below the layer.
const layerNote = "layer"

// BeginLayer makes the next effect begin a layer, unless there is one: then it goes on.
// Where nothing was made, there is nothing to begin it upon.
func (h *Host) BeginLayer() { h.ledger.layers = len(h.ledger.records) > 0 }

// HasLayer tells whether a layer was begun and has not ended, or will begin.
func (h *Host) HasLayer() bool {
	h.ledger.mu.Lock()
	defer h.ledger.mu.Unlock()
	return h.ledger.base > 0 || h.ledger.layers
}

// BelowLayer tells whether a record is of before the layer.
func (h *Host) BelowLayer(r Record) bool {
	h.ledger.mu.Lock()
	defer h.ledger.mu.Unlock()
	return r.ID <= h.ledger.base
}

// EndLayer forgets the layer: what is left of it is like all else.
func (h *Host) EndLayer() error { return h.Remember(layerNote, "") }

// beginLayer notes where a layer begins that is wanted and not there yet.
func (l *ledger) beginLayer() error {
	if !l.layers || l.base > 0 {
		return nil
	}
	return l.logLocked(event{Event: evNote, Target: layerNote, Value: strconv.Itoa(len(l.records))}, true)
}

// has tells whether an effect is recorded, in the layer if there is or will be one.
func (l *ledger) has(k key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.open[k]
	willBegin := l.layers && l.base == 0
	return r != nil && r.ID > l.base && !willBegin
}

// cover puts a record on top of what is known of its target.
func (l *ledger) cover(r *Record) {
	k := key{r.Op, r.Target}
	if r.below = l.open[k]; r.below != nil {
		r.below.above = r
	}
	l.open[k] = r
}

// uncover takes a record away that was undone. What is below counts again.
func (l *ledger) uncover(r *Record) {
	k := key{r.Op, r.Target}
	if r.below == nil {
		delete(l.open, k)
		return
	}
	r.below.above, l.open[k] = nil, r.below
}

// first is the oldest record of the same target that is not undone.
func (r *Record) first() *Record {
	for r.below != nil {
		r = r.below
	}
	return r
}
