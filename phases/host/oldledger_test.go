package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bootstrap/phases/machine"
)

// oneUnit is a service manager with one unit.
type oneUnit struct {
	Units
	runs bool
}

func (u *oneUnit) State(context.Context, string) (machine.UnitState, error) {
	if u.runs {
		return machine.UnitState{Load: "loaded", Active: "active"}, nil
	}
	return machine.UnitState{Load: "loaded", Active: "inactive"}, nil
}

func (u *oneUnit) Do(_ context.Context, verb Verb, _ string) error {
	u.runs = verb == Start
	return nil
}

func (u *oneUnit) Reload(context.Context) error { return nil }

// oldLedger is what programs before this one wrote: a standalone kubelet, and then, with
// records of its own, a control plane upon it.
func oldLedger() []event {
	intent := func(id int, op Op, target string, before, after State) event {
		return event{Event: evIntent, ID: id, By: "kubelet", Op: op, Target: target, Before: &before, After: &after}
	}
	none, runs := State{Kind: Absent}, State{Value: unitRuns}
	events := []event{
		intent(1, OpFile, "/etc/theirs", fileOf("theirs"), fileOf("alone")),
		intent(2, OpFile, "/etc/kubelet", none, fileOf("alone")),
		intent(3, OpActive, "kubelet.service", State{Value: unitStopped}, runs),
		intent(4, OpRules, "firewall", State{Value: "{}"}, State{Value: `{"chains":["KUBE-","CNI-"]}`}),
		{Event: evNote, Target: "layer", Value: "4"},
		intent(5, OpFile, "/etc/theirs", fileOf("alone"), fileOf("cluster")),
		intent(6, OpFile, "/etc/kubelet", fileOf("alone"), fileOf("cluster")),
		intent(7, OpFile, "/etc/admin.conf", none, fileOf("cluster")),
		intent(8, OpActive, "kubelet.service", runs, runs),
		intent(9, OpRules, "firewall", State{Value: "{}"}, State{Value: `{"chains":["KUBE-"]}`}),
	}
	for id := range 9 {
		events = append(events, event{Event: evDone, ID: id + 1})
	}
	return events
}

func fileOf(text string) State {
	return fileState(0o600, sumOf([]byte(text)))
}

// TestSecondRecords: an old ledger is undone as a whole, also when the program before was
// killed while it took the control plane away, or made one again.
func TestSecondRecords(t *testing.T) {
	undone := func(ids ...int) (events []event) {
		for _, id := range ids {
			events = append(events, event{Event: evUndone, ID: id})
		}
		return events
	}
	alone, cluster := fileOf("alone"), fileOf("cluster")
	again := append(undone(9, 8, 7, 6, 5), event{Event: evIntent, ID: 10, By: "kubelet", Op: OpFile, Target: "/etc/theirs", Before: &alone, After: &cluster})
	for _, c := range []struct {
		name                   string
		more                   []event
		theirs, kubelet, admin string
	}{
		{"whole", nil, "cluster", "cluster", "cluster"},
		{"killed in its reset", undone(9, 8, 7, 6), "cluster", "alone", ""},
		{"after its reset", undone(9, 8, 7, 6, 5), "alone", "alone", ""},
		{"killed when made again", again, "alone", "alone", ""},
		{"made again", append(again, event{Event: evDone, ID: 10}), "cluster", "alone", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			for path, text := range map[string]string{
				"/etc/theirs": c.theirs, "/etc/kubelet": c.kubelet, "/etc/admin.conf": c.admin,
				ledgerDir + "/saved/1": "theirs", ledgerDir + "/saved/5": "alone", ledgerDir + "/saved/6": "alone", ledgerDir + "/saved/10": "alone",
			} {
				if text != "" {
					write(t, root+path, text)
				}
			}
			wantUndone(t, root, append(oldLedger(), c.more...))
		})
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func wantUndone(t *testing.T, root string, events []event) {
	t.Helper()
	l, err := readLedger(root)
	for _, ev := range events {
		err = errors.Join(err, l.log(ev, false))
	}
	if err = errors.Join(err, l.close()); err != nil {
		t.Fatal(err)
	}
	units := &oneUnit{runs: true}
	h, err := Open(root, units)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if r, _ := h.ledger.find(key{OpRules, "firewall"}); !strings.Contains(r.After.Value, "CNI-") {
		t.Errorf("chains that are ours: %s", r.After.Value)
	}
	if err := h.UndoAll(t.Context(), func(r Record) bool { return r.Op == OpRules }); err != nil { // the kernel's are not this test's
		t.Fatal(err)
	}
	if data, err := os.ReadFile(root + "/etc/theirs"); err != nil || string(data) != "theirs" {
		t.Errorf("/etc/theirs: %q, %v", data, err)
	}
	for _, path := range []string{"/etc/kubelet", "/etc/admin.conf"} {
		if _, err := os.Lstat(root + path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
	if units.runs {
		t.Error("the kubelet runs")
	}
	if n := len(h.ledger.open); n != 1 {
		t.Errorf("%d effects are not undone, want the chains alone", n)
	}
}
