package host

import (
	"context"
	"errors"

	"bootstrap/phases/machine"
)

// Offline is the Units of a directory that stands for a machine: there are none.
type Offline struct{}

// Reload has nothing to read again.
func (Offline) Reload(context.Context) error { return nil }

// Do can't do anything.
func (Offline) Do(context.Context, Verb, string) error {
	return errors.New("no systemd runs in a directory that stands for a machine")
}

// Failed are none.
func (Offline) Failed(context.Context, string) ([]string, error) { return nil, nil }

// Environment is empty.
func (Offline) Environment(context.Context) ([]string, error) { return nil, nil }

// State of every unit is that it does not exist.
func (Offline) State(context.Context, string) (machine.UnitState, error) {
	return machine.UnitState{Load: "not-found", Active: "inactive"}, nil
}

// Enabled is no unit: there is no file.
func (Offline) Enabled(context.Context, string) (string, error) { return "", nil }
