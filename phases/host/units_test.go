package host_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/machine"

	"github.com/google/go-cmp/cmp"
)

const kubelet = "kubelet.service"

func wantOps(t *testing.T, units *hosttest.Units, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, units.Ops()); diff != "" {
		t.Fatal(diff)
	}
}

func TestUnits(t *testing.T) {
	h, units := hosttest.New(t)
	if s, err := h.UnitState(t.Context(), kubelet); err != nil || s.Load != "not-found" {
		t.Fatalf("state %+v, %v", s, err)
	}
	changed(t, true)(h.WriteFile("/etc/systemd/system/kubelet.service", []byte("[Unit]"), 0o600))
	changed(t, true)(reported(h, func(h *host.Host) error { return h.EnableUnit(t.Context(), kubelet) }))
	changed(t, false)(reported(h, func(h *host.Host) error { return h.EnableUnit(t.Context(), kubelet) }))
	changed(t, true)(reported(h, func(h *host.Host) error { return h.StartUnit(t.Context(), kubelet) }))
	changed(t, false)(reported(h, func(h *host.Host) error { return h.StartUnit(t.Context(), kubelet) }))
	must(t, h.RestartUnit(t.Context(), kubelet))
	changed(t, true)(reported(h, func(h *host.Host) error { return h.StopUnit(t.Context(), kubelet) }))
	changed(t, false)(reported(h, func(h *host.Host) error { return h.StopUnit(t.Context(), kubelet) }))
	wantOps(t, units, "enable kubelet.service", "start kubelet.service", "restart kubelet.service", "stop kubelet.service")
}

// Reload and restart are owed until they are made, also by the next run.
func TestUnitWorkIsOwed(t *testing.T) {
	h, units := hosttest.New(t)
	const dropIn, config = "/etc/systemd/system/kubelet.service.d/90-bootstrap.conf", "/var/lib/kubelet/config.yaml"
	units.Set(kubelet, machine.UnitState{Load: "loaded", Active: "active", Enabled: "enabled"})
	changed(t, true)(h.WriteFile(dropIn, []byte("[Service]"), 0o600))
	changed(t, true)(h.WriteFile(config, []byte("kind"), 0o600))

	h, units = reopen(t, h)
	units.Set(kubelet, machine.UnitState{Load: "loaded", Active: "active", Enabled: "enabled", Outdated: true})
	changed(t, false)(h.WriteFile(dropIn, []byte("[Service]"), 0o600))
	changed(t, true)(reported(h, func(h *host.Host) error { return h.StartUnit(t.Context(), kubelet, dropIn, config) }))
	changed(t, false)(reported(h, func(h *host.Host) error { return h.StartUnit(t.Context(), kubelet, dropIn, config, "/etc/none") }))
	changed(t, true)(h.WriteFile(config, []byte("other"), 0o600))
	changed(t, false)(reported(h, func(h *host.Host) error { return h.StartUnit(t.Context(), kubelet) }))
	changed(t, true)(reported(h, func(h *host.Host) error { return h.StartUnit(t.Context(), kubelet, config) }))
	wantOps(t, units, "reload", "restart kubelet.service", "restart kubelet.service")
}

func TestUndoGivesUnitsBack(t *testing.T) {
	h, units := hosttest.New(t)
	units.Set("runs.service", machine.UnitState{Load: "loaded", Active: "active", Enabled: "enabled"})
	units.Set("stands.service", machine.UnitState{Load: "loaded", Active: "inactive", Enabled: "disabled"})
	changed(t, true)(reported(h, func(h *host.Host) error { return h.StopUnit(t.Context(), "runs.service") }))
	changed(t, false)(reported(h, func(h *host.Host) error { return h.EnableUnit(t.Context(), "runs.service") }))
	changed(t, true)(reported(h, func(h *host.Host) error { return h.StartUnit(t.Context(), "stands.service") }))
	changed(t, true)(reported(h, func(h *host.Host) error { return h.EnableUnit(t.Context(), "stands.service") }))
	must(t, h.UndoAll(t.Context(), nil))
	wantOps(t, units, "stop runs.service", "start stands.service", "enable stands.service",
		"disable stands.service", "stop stands.service", "reload", "start runs.service")
}

// A power cut may come between enable and start: the boot starts the unit then, and it
// may run, or fail and be started again, when the next run starts it.
func TestUndoStopsWhatABootStarted(t *testing.T) {
	for _, found := range []machine.UnitState{
		{Load: "loaded", Active: "active", Sub: "running", Enabled: "enabled"},
		{Load: "loaded", Active: "activating", Sub: "auto-restart", Enabled: "enabled"},
	} {
		first, _ := hosttest.New(t)
		changed(t, true)(first.WriteFile("/etc/systemd/system/kubelet.service", []byte("[Unit]"), 0o600))
		changed(t, true)(reported(first, func(h *host.Host) error { return h.EnableUnit(t.Context(), kubelet) }))
		h, units := reopen(t, first)
		found.Fragment = "/etc/systemd/system/kubelet.service"
		units.Set(kubelet, found)
		err := h.StartUnit(t.Context(), kubelet)
		must(t, err)
		must(t, h.UndoAll(t.Context(), nil))
		if ops := units.Ops(); !slices.Contains(ops, "stop kubelet.service") || strings.HasPrefix(ops[len(ops)-1], "start") {
			t.Errorf("%s: %q", found.Sub, ops)
		}
	}
}

func TestFailedUnitIsForgotten(t *testing.T) {
	h, units := hosttest.New(t)
	units.Set(kubelet, machine.UnitState{Load: "loaded", Active: "inactive"})
	units.Fail = func(op string) error {
		if op == "start kubelet.service" {
			return &host.ObstacleError{Path: kubelet, What: "start kubelet.service: failed", Fix: "look"}
		}
		return nil
	}
	err := h.StartUnit(t.Context(), kubelet)
	wantObstacle(t, err, "start kubelet.service: failed")
	units.Set(kubelet, machine.UnitState{Load: "loaded", Active: "failed"})
	must(t, h.UndoAll(t.Context(), nil))
	wantOps(t, units, "start kubelet.service", "reset-failed kubelet.service")
}

func TestUndoGoesOnAfterAUnitFails(t *testing.T) {
	h, units := hosttest.New(t)
	changed(t, true)(h.WriteFile("/etc/systemd/system/kubelet.service", []byte("[Unit]"), 0o600))
	changed(t, true)(reported(h, func(h *host.Host) error { return h.StartUnit(t.Context(), kubelet) }))
	units.Fail = func(op string) error {
		if strings.HasPrefix(op, "stop") {
			return errors.New("no answer")
		}
		return nil
	}
	err := h.UndoAll(t.Context(), nil)
	if err == nil || err.Error() != "undo unit-active kubelet.service: no answer" {
		t.Fatal(err)
	}
	wantGone(t, h, "/etc/systemd/system/kubelet.service")
	units.Fail = nil
	must(t, h.UndoAll(t.Context(), nil))
	wantGone(t, h, "/var/lib/bootstrap")
}
