package host_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/machine"

	"github.com/google/go-cmp/cmp"
)

func TestUndoAll(t *testing.T) {
	h, _ := hosttest.New(t)
	put(t, h, "/etc/sysctl.conf", "theirs", 0o640)
	put(t, h, "/etc/cni/net.d/10-theirs.conflist", "theirs", 0o644)
	put(t, h, "/proc/sys/net/ipv4/ip_forward", "0\n", 0o644)
	must(t, os.Chmod(h.Path("/etc/cni/net.d"), 0o777))
	before := snapshot(t, h.Path("/"))

	must(t, h.MakeDir("/etc/cni/net.d", 0o755))
	must(t, h.MakeDir("/etc/kubernetes/pki", 0o700))
	changed(t, true)(h.WriteFile("/etc/kubernetes/pki/ca.key", []byte("key"), 0o600))
	changed(t, true)(h.WriteFile("/etc/sysctl.conf", []byte("ours"), 0o644))
	changed(t, true)(h.Remove("/etc/cni/net.d/10-theirs.conflist"))
	changed(t, true)(h.WriteFile("/etc/systemd/system/kubelet.service", []byte("[Unit]"), 0o600))
	must(t, h.OwnTree("/var/lib/kubelet"))
	must(t, h.MakeDir("/var/lib/kubelet/pki", 0o700))
	changed(t, true)(h.WriteFile("/var/lib/kubelet/config.yaml", []byte("kind"), 0o600))
	must(t, h.Sysctl("net.ipv4.ip_forward", "1"))
	must(t, h.LoadModule(t.Context(), "overlay"))
	must(t, h.EnableUnit(t.Context(), "kubelet.service"))
	must(t, h.StartUnit(t.Context(), "kubelet.service"))
	put(t, h, "/var/lib/kubelet/pki/kubelet.key", "by the daemon", 0o600)
	put(t, h, "/var/lib/kubelet/config.yaml", "changed by the daemon", 0o600)
	wantFile(t, h, "/proc/sys/net/ipv4/ip_forward", "1\n", 0o644)

	h, units := reopen(t, h)
	units.Set("kubelet.service", machine.UnitState{Load: "loaded", Active: "active", Enabled: "enabled"})
	var reported []string
	told := h.Under("reset", func(c host.Change) { reported = append(reported, string(c.Verb)+" "+c.Target) })
	must(t, told.UndoAll(t.Context(), nil))
	if after := snapshot(t, h.Path("/")); after != before {
		t.Fatalf("before:\n%s\nafter:\n%s", before, after)
	}
	wantGone(t, h, "/var/lib/bootstrap")
	if diff := cmp.Diff([]string{"stop kubelet.service", "disable kubelet.service", "reload"}, units.Ops()); diff != "" {
		t.Fatal(diff)
	}
	if len(reported) == 0 || reported[0] != "stop kubelet.service" || reported[len(reported)-1] != "chmod /etc/cni/net.d" {
		t.Fatalf("order: %v", reported)
	}
	must(t, h.UndoAll(t.Context(), nil)) // with nothing to do
	changed(t, true)(h.WriteFile("/etc/again", nil, 0o600))
	if len(h.Entries()) != 1 {
		t.Fatalf("after forgetting: %v", h.Entries())
	}
}

func TestUndoIsIdempotent(t *testing.T) {
	h, _ := hosttest.New(t)
	must(t, os.MkdirAll(h.Path("/var/lib"), 0o755))
	put(t, h, "/etc/theirs", "theirs", 0o644)
	before := snapshot(t, h.Path("/"))
	changed(t, true)(h.WriteFile("/etc/theirs", []byte("ours"), 0o600))
	changed(t, true)(h.WriteFile("/etc/x/ours", []byte("ours"), 0o600))
	records := h.Entries()
	for range 2 {
		for i := range records {
			must(t, h.Undo(t.Context(), records[len(records)-1-i]))
		}
		if after := snapshot(t, h.Path("/")); after != before {
			t.Fatalf("before:\n%s\nafter:\n%s", before, after)
		}
	}
	must(t, h.UndoAll(t.Context(), nil))
}

func TestUndoWhatOthersHaveRemoved(t *testing.T) {
	h, _ := hosttest.New(t)
	put(t, h, "/etc/theirs", "theirs", 0o644)
	before := snapshot(t, h.Path("/"))
	changed(t, true)(h.WriteFile("/etc/theirs", []byte("ours"), 0o600))
	changed(t, true)(h.WriteFile("/opt/x/ours", []byte("ours"), 0o600))
	must(t, h.OwnTree("/opt/y/tree"))
	must(t, os.RemoveAll(h.Path("/opt")))
	must(t, os.Remove(h.Path("/etc/theirs")))
	must(t, h.UndoAll(t.Context(), nil))
	if after := snapshot(t, h.Path("/")); after != before {
		t.Fatalf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestUndoLeavesWhatOthersChanged(t *testing.T) {
	h, _ := hosttest.New(t)
	put(t, h, "/etc/theirs", "theirs", 0o644)
	changed(t, true)(h.WriteFile("/etc/theirs", []byte("ours"), 0o600))
	changed(t, true)(h.WriteFile("/etc/ours", []byte("ours"), 0o600))
	must(t, h.MakeDir("/etc/dir", 0o755))
	changed(t, true)(h.WriteFile("/etc/last", []byte("ours"), 0o600))
	put(t, h, "/etc/theirs", "edited", 0o600)
	put(t, h, "/etc/ours", "edited", 0o600)
	put(t, h, "/etc/dir/a b", "new", 0o600)

	err := h.UndoAll(t.Context(), nil)
	wantObstacle(t, err, "/etc/theirs was changed since bootstrap wrote it")
	wantObstacle(t, err, "/etc/dir stays: it holds 'a b'")
	wantFile(t, h, "/etc/theirs", "edited", 0o600)
	wantFile(t, h, "/etc/ours", "edited", 0o600)
	wantFile(t, h, "/etc/dir/a b", "new", 0o600)
	wantGone(t, h, "/etc/last")
	if !h.HasLedger() {
		t.Fatal("forgotten with work left")
	}

	must(t, os.RemoveAll(h.Path("/etc/ours")))
	must(t, os.RemoveAll(h.Path("/etc/theirs")))
	must(t, os.RemoveAll(h.Path("/etc/dir")))
	must(t, h.UndoAll(t.Context(), nil))
	wantFile(t, h, "/etc/theirs", "theirs", 0o644)
	wantGone(t, h, "/var/lib/bootstrap")
}

func TestUndoDoesNotFollowLinks(t *testing.T) {
	h, _ := hosttest.New(t)
	put(t, h, "/canary/file", "canary", 0o600)
	must(t, h.MakeDir("/etc", 0o755))
	changed(t, true)(h.WriteFile("/etc/x/file", []byte("canary"), 0o600))
	must(t, h.OwnTree("/srv/tree"))
	must(t, h.MakeDir("/srv/tree", 0o700))
	must(t, os.RemoveAll(h.Path("/etc/x")))
	must(t, os.Symlink("/canary", h.Path("/etc/x")))
	must(t, os.RemoveAll(h.Path("/srv/tree")))
	must(t, os.Symlink("/canary", h.Path("/srv/tree")))
	wantObstacle(t, h.UndoAll(t.Context(), nil), "symbolic link")
	wantFile(t, h, "/canary/file", "canary", 0o600)
}

func TestUndoStopsWhenToldTo(t *testing.T) {
	h, _ := hosttest.New(t)
	changed(t, true)(h.WriteFile("/etc/x", nil, 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.UndoAll(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	wantFile(t, h, "/etc/x", "", 0o600)
}
