package host_test

import (
	"os"
	"testing"
	"time"

	"bootstrap/phases/host/hosttest"
)

// TestUnrecorded: a file of the user's is written as a whole, and no reset knows of it.
func TestUnrecorded(t *testing.T) {
	const file = "/etc/manifests/web.yaml"
	h, _ := hosttest.New(t)
	put(t, h, file, "old", 0o644)
	for i, want := range []bool{true, false} {
		changed, err := h.WriteUnrecorded(file, []byte("new"), 0o600)
		if err != nil || changed != want {
			t.Fatalf("write %d: changed %v, %v", i, changed, err)
		}
	}
	if at, err := h.Changed(file); err != nil || time.Since(at) > time.Minute {
		t.Errorf("it was changed at %v, %v", at, err)
	}
	if names, _ := os.ReadDir(h.Path("/etc/manifests")); len(names) != 1 {
		t.Errorf("left beside it: %v", names)
	}
	for i, want := range []bool{true, false} {
		changed, err := h.RemoveUnrecorded(file)
		if err != nil || changed != want {
			t.Fatalf("remove %d: changed %v, %v", i, changed, err)
		}
	}
	if h.HasLedger() || len(h.Entries()) > 0 {
		t.Errorf("in the ledger: %v", h.Entries())
	}
	if _, err := h.WriteUnrecorded("/etc/none/web.yaml", nil, 0o600); err == nil {
		t.Error("a directory was made for it")
	}
}

// TestUnrecordedIsNotOurs: what the ledger names is bootstrap's.
func TestUnrecordedIsNotOurs(t *testing.T) {
	h, _ := hosttest.New(t)
	if _, err := h.WriteFile("/etc/manifests/etcd.yaml", []byte("ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteUnrecorded("/etc/manifests/etcd.yaml", []byte("theirs"), 0o600); err == nil {
		t.Error("a file of ours was overwritten")
	}
	if _, err := h.RemoveUnrecorded("/etc/manifests/etcd.yaml"); err == nil {
		t.Error("a file of ours was removed")
	}
}
