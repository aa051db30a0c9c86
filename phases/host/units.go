package host

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"bootstrap/phases/machine"
)

// Units is the machine's service manager. It is an interface because tests have no
// systemd; Systemd is the real one. No method records anything.
type Units interface {
	// Do does with a unit what the verb says, and waits until it is done: Enable, Disable,
	// Start, Stop, Restart or ResetFailed.
	Do(ctx context.Context, verb Verb, unit string) error
	// Reload makes systemd read the files of all units again.
	Reload(ctx context.Context) error
	// State leaves Enabled out: to know that, systemd searches all folders of units.
	State(ctx context.Context, unit string) (machine.UnitState, error)
	Enabled(ctx context.Context, unit string) (string, error)
	// Failed lists the failed units whose names match the pattern, as a shell would.
	Failed(ctx context.Context, pattern string) ([]string, error)
	// Environment is what every unit gets, as NAME=VALUE: DefaultEnvironment in systemd's own configuration.
	Environment(ctx context.Context) ([]string, error)
}

// UnitEnvironment is what every unit of this machine gets, as NAME=VALUE.
func (h *Host) UnitEnvironment(ctx context.Context) ([]string, error) {
	return h.units.Environment(ctx)
}

// ResetFailed is for Units.Do alone: no Change has it as its verb. It makes systemd forget
// that a unit failed.
const ResetFailed = "reset-failed"

const (
	unitRuns    = "running"
	unitStopped = "stopped"
)

// RanBefore tells whether the record is of a unit that ran before bootstrap started it,
// and so runs on after reset.
func (r Record) RanBefore() bool {
	return r.Op == OpActive && !r.Undone && r.Before.Value == unitRuns
}

// before is what undo brings a unit back to. One that runs only since the machine has
// booted with a unit file of ours is to be stopped.
func (h *Host) before(name string, now machine.UnitState) State {
	if now.Running() && !h.startedByBoot(name, now) {
		return State{Value: unitRuns}
	}
	return State{Value: unitStopped}
}

// startedByBoot tells whether a unit that runs can only have been started by a boot of
// the machine: its file was made by bootstrap, which did not come to start it.
func (h *Host) startedByBoot(name string, now machine.UnitState) bool {
	_, known := h.ledger.find(key{OpActive, name})
	return !known && h.madeUnit(now)
}

// madeUnit tells whether bootstrap made the unit's file.
func (h *Host) madeUnit(unit machine.UnitState) bool {
	r, ok := h.ledger.find(key{OpFile, unit.Fragment})
	return ok && r.made()
}

// UnitState asks systemd for a unit's state, or tells what a plan has made of it. A unit
// that does not exist has a state too.
func (h *Host) UnitState(ctx context.Context, name string) (machine.UnitState, error) {
	if u := h.plan.at(name).unit; u != nil {
		return *u, nil
	}
	s, err := h.units.State(ctx, name)
	if err != nil {
		return s, fmt.Errorf("state of %s: %w", name, err)
	}
	return s, nil
}

// unitFile is UnitState with the field Enabled.
func (h *Host) unitFile(ctx context.Context, name string) (machine.UnitState, error) {
	s, err := h.UnitState(ctx, name)
	if err != nil || s.Enabled != "" {
		return s, err
	}
	if s.Enabled, err = h.units.Enabled(ctx, name); err != nil {
		return s, fmt.Errorf("unit file of %s: %w", name, err)
	}
	return s, nil
}

// Reload makes systemd read its unit files again, if this Host changed one since it
// last did, also in a run before.
func (h *Host) Reload(ctx context.Context) error {
	if !h.ledger.wantsReload() {
		return nil
	}
	if err := h.quietly(func() error { return h.units.Reload(ctx) }); err != nil {
		return fmt.Errorf("reload systemd: %w", err)
	}
	return h.ledger.log(event{Event: evReload}, false)
}

// EnableUnit makes a unit start at boot.
func (h *Host) EnableUnit(ctx context.Context, name string) error {
	now, err := h.unitFile(ctx, name)
	if err != nil {
		return err
	}
	k := key{OpEnabled, name}
	switch now.Enabled {
	case "enabled", "static", "alias", "indirect", "generated", "transient":
		return h.settle(k, nothing)
	}
	e := effect{key: k, verb: Enable, before: State{Value: now.Enabled}, after: State{Value: "enabled"}}
	now.Enabled = "enabled"
	return h.changeUnit(ctx, e, now)
}

// StartUnit starts a unit and waits until it runs. One that runs is left alone,
// unless one of files, which it reads when it starts, was written since: then it is
// restarted.
func (h *Host) StartUnit(ctx context.Context, name string, files ...string) error {
	now, err := h.freshUnit(ctx, name)
	if err != nil {
		return err
	}
	if now.Active != "active" {
		return h.runUnit(ctx, name, Start, now)
	}
	if h.Outdated(name, files...) {
		return h.runUnit(ctx, name, Restart, now)
	}
	if h.startedByBoot(name, now) {
		return h.AdoptUnit(name)
	}
	return h.settle(key{OpActive, name}, nothing)
}

// freshUnit gives a unit's state, after systemd has read its files as they are now. To
// read the files of all units takes systemd 100 ms: it is asked to only if it knows this
// unit, and by other files. A new unit it reads by itself when it is first asked for it.
func (h *Host) freshUnit(ctx context.Context, name string) (machine.UnitState, error) {
	now, err := h.UnitState(ctx, name)
	if err != nil || !h.ledger.wantsReload() || now.Load == "loaded" && !now.Outdated {
		return now, err
	}
	if err := h.Reload(ctx); err != nil {
		return now, err
	}
	return h.UnitState(ctx, name)
}

// Outdated tells whether one of files, which a unit or pod reads when it starts, was
// written since it was started.
func (h *Host) Outdated(name string, files ...string) bool {
	return slices.ContainsFunc(files, func(file string) bool { return h.ledger.changedSince(name, h.Resolve(file)) })
}

// Started records that a pod, or whatever is no unit, runs with its files as they
// are now.
func (h *Host) Started(name string) error {
	return h.ledger.log(event{Event: evStarted, Target: name}, false)
}

// RestartUnit stops a unit if it runs, starts it and waits until it runs.
func (h *Host) RestartUnit(ctx context.Context, name string) error {
	now, err := h.freshUnit(ctx, name)
	if err != nil {
		return err
	}
	return h.runUnit(ctx, name, Restart, now)
}

func (h *Host) runUnit(ctx context.Context, name string, verb Verb, now machine.UnitState) error {
	e := effect{key: key{OpActive, name}, verb: verb, before: h.before(name, now), after: State{Value: unitRuns}}
	now.Active, now.Sub = "active", "running"
	return h.changeUnit(ctx, e, now)
}

// changeUnit has systemd do with a unit what the effect's verb says. then is the state
// that a plan goes on with.
func (h *Host) changeUnit(ctx context.Context, e effect, then machine.UnitState) error {
	if err := h.make(e, func() error { return h.units.Do(ctx, e.verb, e.target) }); err != nil {
		return err
	}
	h.plan.put(e.target, planned{unit: &then})
	if e.after.Value != unitRuns {
		return nil
	}
	return h.Started(e.target)
}

// StopUnit stops a unit and waits until it has.
func (h *Host) StopUnit(ctx context.Context, name string) error {
	now, err := h.UnitState(ctx, name)
	if err != nil {
		return err
	}
	if !now.Running() {
		return h.settle(key{OpActive, name}, nothing)
	}
	e := effect{key: key{OpActive, name}, verb: Stop, before: h.before(name, now), after: State{Value: unitStopped}}
	now.Active, now.Sub = "inactive", "dead"
	return h.changeUnit(ctx, e, now)
}

// Resolve follows the links in the path of a file's folder. The result is the name by
// which the ledger knows the file. A path that can't be followed is given as it is.
func (h *Host) Resolve(path string) string {
	w, err := h.walk(filepath.Dir(path), walkFile)
	defer w.close()
	if err != nil {
		return path
	}
	return filepath.Join(w.path(), filepath.Base(path))
}
