// Package hosttest gives tests a host.Host in a directory of its own, with a service
// manager that records what it is asked. It must not be imported outside of tests.
package hosttest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"bootstrap/phases/host"
	"bootstrap/phases/machine"
)

// New gives a Host in an empty temporary directory (h.Path("/")) and its units. Both
// end with the test.
func New(t testing.TB) (*host.Host, *Units) {
	t.Helper()
	return Open(t, t.TempDir())
}

// Open is New in a directory that the test has prepared.
func Open(t testing.TB, root string) (*host.Host, *Units) {
	t.Helper()
	units := &Units{Root: root}
	h, err := host.Open(root, units)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h, units
}

// Units is a service manager that keeps states and does nothing else. A unit exists
// if its file lies below Root, or if the test has set its state.
type Units struct {
	Root string
	// Fail, if set, is asked before each operation, such as "start kubelet.service".
	Fail func(op string) error
	// Env is what every unit gets, as NAME=VALUE.
	Env []string

	mu     sync.Mutex
	ops    []string
	states map[string]machine.UnitState
	read   map[string]string // of each unit that runs, its files when they were last read
}

var _ host.Units = (*Units)(nil)

// Ops is every operation so far, oldest first: "reload", "enable kubelet.service",
// "start kubelet.service", ...
func (u *Units) Ops() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.ops)
}

// Set makes a unit exist in the given state.
func (u *Units) Set(unit string, state machine.UnitState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.set(unit, state)
}

func (u *Units) set(unit string, state machine.UnitState) {
	if u.states == nil {
		u.states, u.read = map[string]machine.UnitState{}, map[string]string{}
	}
	u.states[unit] = state
	if !state.Outdated {
		u.read[unit] = u.files(unit)
	}
}

// begin keeps an operation, and lets it fail if the test wants so.
func (u *Units) begin(op string) error {
	u.ops = append(u.ops, op)
	if u.Fail == nil {
		return nil
	}
	return u.Fail(op)
}

// Reload implements host.Units.
func (u *Units) Reload(context.Context) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.begin("reload"); err != nil {
		return err
	}
	for unit := range u.read {
		u.read[unit] = u.files(unit)
	}
	return nil
}

// Do implements host.Units.
func (u *Units) Do(_ context.Context, verb host.Verb, unit string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	op := string(verb) + " " + unit
	if err := u.begin(op); err != nil {
		return err
	}
	state := u.state(unit)
	if state.Load == "not-found" {
		return fmt.Errorf("%s: unit %s not found", op, unit)
	}
	switch verb {
	case host.Enable:
		state.Enabled = "enabled"
	case host.Disable:
		state.Enabled = "disabled"
	case host.Start, host.Restart:
		state.Active, state.Sub, state.Result = "active", "running", "success"
	default:
		state.Active, state.Sub = "inactive", "dead"
	}
	u.set(unit, state)
	return nil
}

func (u *Units) state(unit string) machine.UnitState {
	if s, ok := u.states[unit]; ok && (s.Fragment == "" || u.exists(s.Fragment)) {
		// Of a unit that does not run systemd keeps nothing.
		s.Outdated = s.Running() && u.read[unit] != u.files(unit)
		return s
	}
	for _, dir := range machine.UnitDirs {
		if path := filepath.Join(dir, unit); u.exists(path) {
			return machine.UnitState{Load: "loaded", Active: "inactive", Sub: "dead", Fragment: path, Enabled: "disabled"}
		}
	}
	return machine.UnitState{Load: "not-found", Active: "inactive", Sub: "dead"}
}

// files is the content of a unit's file and drop-ins.
func (u *Units) files(unit string) string {
	all := ""
	for _, pattern := range []string{unit, unit + ".d/*.conf"} {
		names, _ := filepath.Glob(filepath.Join(u.Root, "/etc/systemd/system", pattern))
		for _, name := range names {
			data, _ := os.ReadFile(name)
			all += name + string(data)
		}
	}
	return all
}

func (u *Units) exists(path string) bool {
	_, err := os.Stat(filepath.Join(u.Root, path))
	return err == nil
}

// Environment implements host.Units.
func (u *Units) Environment(context.Context) ([]string, error) { return u.Env, nil }

// Enabled implements host.Units.
func (u *Units) Enabled(_ context.Context, unit string) (string, error) {
	return u.state(unit).Enabled, nil
}

// Failed implements host.Units.
func (u *Units) Failed(_ context.Context, pattern string) ([]string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var names []string
	for name, s := range u.states {
		if ok, err := filepath.Match(pattern, name); err != nil || ok && s.Active == "failed" {
			names = append(names, name)
		}
	}
	return names, nil
}

// State implements host.Units.
func (u *Units) State(_ context.Context, unit string) (machine.UnitState, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.state(unit), nil
}
