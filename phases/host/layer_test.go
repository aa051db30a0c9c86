package host_test

import (
	"os"
	"testing"

	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"

	"github.com/google/go-cmp/cmp"
)

// TestLayer: what was made upon a machine goes alone, however often the run that made it
// was cut off, and what was below stands in the ledger as before.
func TestLayer(t *testing.T) {
	h, _ := hosttest.New(t)
	put(t, h, "/etc/theirs", "theirs", 0o644)
	before := snapshot(t, h.Path("/"))
	h.BeginLayer() // upon nothing: there is no layer
	changed(t, true)(h.WriteFile("/etc/theirs", []byte("base"), 0o600))
	changed(t, true)(h.WriteFile("/etc/kubelet/config", []byte("base"), 0o600))
	if h.HasLayer() {
		t.Fatal("a layer upon nothing")
	}
	h, units := reopen(t, h)
	units.Set("kubelet.service", host.UnitState{Load: "loaded", Active: "active"})
	base := snapshotWithout(t, h)

	h.BeginLayer()
	changed(t, false)(h.WriteFile("/etc/theirs", []byte("base"), 0o600))
	if h, _ = reopen(t, h); h.HasLayer() {
		t.Fatal("a layer without an effect")
	}
	h.BeginLayer()
	changed(t, true)(h.WriteFile("/etc/kubelet/config", []byte("first"), 0o600))
	changed(t, true)(h.WriteFile("/etc/theirs", []byte("layer"), 0o640))
	h, units = reopen(t, h)
	units.Set("kubelet.service", host.UnitState{Load: "loaded", Active: "active"})
	h.BeginLayer()
	changed(t, true)(h.WriteFile("/etc/kubelet/config", []byte("layer"), 0o600))
	changed(t, true)(h.WriteFile("/etc/kubernetes/admin.conf", []byte("layer"), 0o600))
	must(t, h.RestartUnit(t.Context(), "kubelet.service"))
	if drift := h.Drift(t.Context()); len(drift) > 0 {
		t.Fatalf("drift: %v", drift)
	}

	h, units = reopen(t, h)
	units.Set("kubelet.service", host.UnitState{Load: "loaded", Active: "active"})
	if !h.HasLayer() {
		t.Fatal("the layer is forgotten")
	}
	changed(t, true)(h.StopUnit(t.Context(), "kubelet.service"))
	must(t, h.UndoAll(t.Context(), h.BelowLayer))
	if diff := cmp.Diff(base, snapshotWithout(t, h)); diff != "" {
		t.Fatalf("without the layer (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"stop kubelet.service", "start kubelet.service"}, units.Ops()); diff != "" {
		t.Fatal(diff)
	}
	must(t, h.EndLayer())

	h, _ = reopen(t, h)
	must(t, h.UndoAll(t.Context(), h.BelowLayer))
	if after := snapshot(t, h.Path("/")); after != before {
		t.Fatalf("before:\n%s\nafter:\n%s", before, after)
	}
}

// snapshotWithout leaves out the ledger.
func snapshotWithout(t *testing.T, h *host.Host) string {
	t.Helper()
	aside := t.TempDir() + "/ledger"
	must(t, os.Rename(h.Path("/var/lib/bootstrap"), aside))
	s := snapshot(t, h.Path("/"))
	must(t, os.Rename(aside, h.Path("/var/lib/bootstrap")))
	return s
}
