package host

import (
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"
)

// Verb is what a Change does to its target.
type Verb string

// The verbs of changes.
const (
	Create  Verb = "create"
	Update  Verb = "update" // other content
	Chmod   Verb = "chmod"  // other mode or owner
	Remove  Verb = "remove"
	Restore Verb = "restore" // as it was before the first effect
	Empty   Verb = "empty"   // all that is in it goes, the directory stays
	Own     Verb = "own"     // whatever appears in it is removed by reset
	Enable  Verb = "enable"
	Disable Verb = "disable"
	Start   Verb = "start"
	Stop    Verb = "stop"
	Restart Verb = "restart"
	Set     Verb = "set"
	Load    Verb = "load"
)

// Change is one effect that is made, or that a plan would make.
type Change struct {
	Op     Op     `json:"op"`
	Verb   Verb   `json:"verb"`
	Target string `json:"target"`
	Diff   string `json:"diff,omitempty"` // unified; only of text that is no secret
}

// Under is the same Host for one phase: by stands in the ledger beside each effect,
// and report, which may be nil, is told of each change once it is made or planned.
func (h *Host) Under(by string, report func(Change)) *Host {
	other := *h
	other.by, other.aim, other.report = by, Other, report
	return &other
}

// For is the same Host, whose effects stand in the ledger with this purpose.
func (h *Host) For(p Purpose) *Host {
	other := *h
	other.aim = p
	return &other
}

// make records an effect, makes it, and records that it was made.
func (h *Host) make(e effect, do func() error) error {
	e.by, e.purpose = h.by, h.aim
	id, err := h.ledger.begin(e)
	if err != nil {
		return err
	}
	if err := h.act(e.change(), do); err != nil {
		return err
	}
	return h.ledger.done(id)
}

// settle records an effect as made if a run before was killed before it recorded that.
// finish does what that run may not have come to; nothing is done for an effect that is
// as it should be.
func (h *Host) settle(k key, finish func() error) error {
	r, ok := h.ledger.find(k)
	if !ok || r.Done {
		return nil
	}
	if err := h.quietly(finish); err != nil {
		return err
	}
	return h.ledger.done(r.ID)
}

// Do makes a change that no record can hold, since what it removes was not ours to
// make: a pod, an API object. A plan only tells of it.
func (h *Host) Do(op Op, verb Verb, target string, do func() error) error {
	return h.act(Change{Op: op, Verb: verb, Target: target}, do)
}

// act makes a change and reports it. A plan only reports it.
func (h *Host) act(c Change, do func() error) error {
	if err := h.quietly(do); err != nil {
		return err
	}
	if h.report != nil {
		h.report(c)
	}
	return nil
}

// quietly makes a change that is not worth a report, such as the removal of a temporary
// file. A plan leaves it out.
func (h *Host) quietly(do func() error) error {
	if h.plan != nil {
		return nil
	}
	return do()
}

// Record makes an effect that this package can't make or undo itself, such as an
// image in a container runtime. The command's reset must undo it by Retract.
func (h *Host) Record(op Op, target string, do func() error) error {
	return h.make(effect{key: key{op, target}, verb: Create, after: State{Value: "made"}}, do)
}

// Retract undoes what Record recorded; do may be nil if it is gone by other means.
func (h *Host) Retract(r Record, do func() error) error {
	if do != nil {
		if err := h.Do(r.Op, Remove, r.Target, do); err != nil {
			return err
		}
	}
	return h.ledger.undone(r.ID)
}

const maxDiff = 64 << 10 // bytes

// diffOf is empty for what is no text, and for what is too long for people to read.
func diffOf(path string, old, new []byte) string {
	if len(old)+len(new) > maxDiff || !utf8.Valid(old) || !utf8.Valid(new) {
		return ""
	}
	return string(diff.Diff(path, old, path, new))
}
