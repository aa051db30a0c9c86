package host

import (
	"context"
	"errors"
)

// Offline is the Units of a directory that stands for a machine: there are none.
type Offline struct{}

var errOffline = errors.New("no systemd runs in a directory that stands for a machine")

// Reload has nothing to read again.
func (Offline) Reload(context.Context) error { return nil }

// Enable can't be done.
func (Offline) Enable(context.Context, string) error { return errOffline }

// Disable can't be done.
func (Offline) Disable(context.Context, string) error { return errOffline }

// Start can't be done.
func (Offline) Start(context.Context, string) error { return errOffline }

// Stop can't be done.
func (Offline) Stop(context.Context, string) error { return errOffline }

// Restart can't be done.
func (Offline) Restart(context.Context, string) error { return errOffline }

// ResetFailed has nothing to forget.
func (Offline) ResetFailed(context.Context, string) error { return nil }

// Failed are none.
func (Offline) Failed(context.Context, string) ([]string, error) { return nil, nil }

// State of every unit is that it does not exist.
func (Offline) State(context.Context, string) (UnitState, error) {
	return UnitState{Load: "not-found", Active: "inactive"}, nil
}

// Enabled is no unit: there is no file.
func (Offline) Enabled(context.Context, string) (string, error) { return "", nil }
