package host_test

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
)

// effects makes one effect of each kind, as init does.
func effects(t *testing.T, h *host.Host) {
	t.Helper()
	must(t, h.MakeDir("/etc/kubernetes/pki", 0o700))
	changed(t, true)(h.WriteOpaque("/etc/kubernetes/pki/ca.key", []byte("key"), 0o600))
	changed(t, true)(h.WriteFile("/etc/theirs", []byte("ours"), 0o600))
	changed(t, true)(h.WriteFile("/etc/mode", []byte("theirs"), 0o600))
	changed(t, true)(h.Remove("/etc/gone"))
	must(t, h.OwnTree("/var/lib/kubelet"))
	changed(t, true)(h.WriteFile("/var/lib/kubelet/config.yaml", []byte("kind\n"), 0o600))
	must(t, h.MakeDir("/var/lib/etcd", 0o700))
	must(t, h.OwnTree("/var/lib/etcd"))
	must(t, h.Sysctl("net.ipv4.ip_forward", "1"))
	must(t, h.LoadModule(t.Context(), "overlay"))
	changed(t, true)(h.WriteFile("/etc/systemd/system/kubelet.service", []byte("[Unit]\n"), 0o600))
	must(t, h.EnableUnit(t.Context(), "kubelet.service"))
	must(t, h.StartUnit(t.Context(), "kubelet.service"))
	must(t, h.StartUnit(t.Context(), "kubelet.service", "/var/lib/kubelet/config.yaml"))
	must(t, h.Record(host.OpImage, "pause:3", func() error { return nil }))
	changed(t, false)(h.WriteFile("/etc/theirs", []byte("ours"), 0o600))
	must(t, h.MakeDir("/etc/kubernetes/pki", 0o700))
	if data, err := h.ReadFile("/etc/kubernetes/pki/ca.key"); err != nil || string(data) != "key" {
		t.Fatalf("read back: %q, %v", data, err)
	}
	if _, err := h.ReadFile("/etc/gone"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("removed, and still read: %v", err)
	}
}

func prepared(t *testing.T) string {
	t.Helper()
	h, _ := hosttest.New(t)
	root := h.Path("/")
	must(t, os.MkdirAll(h.Path("/proc/sys/net/ipv4"), 0o755))
	must(t, os.MkdirAll(h.Path("/var/lib"), 0o755))
	put(t, h, "/proc/sys/net/ipv4/ip_forward", "0\n", 0o644)
	for _, name := range []string{"/etc/theirs", "/etc/gone", "/etc/mode"} {
		put(t, h, name, "theirs", 0o644)
	}
	must(t, h.Close())
	return root
}

func recorded(h *host.Host, list *[]host.Change) *host.Host {
	return h.Under("test", func(c host.Change) { *list = append(*list, c) })
}

// TestPlanIsTheRun: what a plan lists is what a run then does, for making and for
// undoing, and the plan leaves no trace.
func TestPlanIsTheRun(t *testing.T) {
	root := prepared(t)
	before := snapshot(t, root)
	var planned, made []host.Change

	h, err := host.OpenPlan(root, &hosttest.Units{Root: root})
	must(t, err)
	effects(t, recorded(h, &planned))
	must(t, h.Close())
	if after := snapshot(t, root); after != before {
		t.Fatalf("the plan changed something:\n%s\nwas\n%s", after, before)
	}

	h, units := hosttest.Open(t, root)
	effects(t, recorded(h, &made))
	if diff := cmp.Diff(planned, made); diff != "" {
		t.Errorf("planned (-), made (+):\n%s", diff)
	}
	put(t, h, "/var/lib/kubelet/by-the-daemon", "x", 0o600)
	must(t, h.Close())

	before, planned, made = snapshot(t, root), nil, nil
	h, err = host.OpenPlan(root, units)
	must(t, err)
	undoEffects(t, recorded(h, &planned))
	must(t, h.Close())
	if after := snapshot(t, root); after != before {
		t.Fatalf("the plan of undoing changed something:\n%s\nwas\n%s", after, before)
	}
	h, err = host.Open(root, units)
	must(t, err)
	undoEffects(t, recorded(h, &made))
	must(t, h.Close())
	if diff := cmp.Diff(planned, made); diff != "" {
		t.Errorf("undoing: planned (-), made (+):\n%s", diff)
	}
	if len(made) < 10 {
		t.Errorf("only %v", made)
	}
}

func undoEffects(t *testing.T, h *host.Host) {
	t.Helper()
	for _, r := range h.Entries() {
		if r.Op == host.OpImage {
			must(t, h.Retract(r, func() error { return nil }))
		}
	}
	must(t, h.UndoAll(t.Context(), nil))
}

// TestPlanAgain: planning what is done already lists nothing.
func TestPlanAgain(t *testing.T) {
	root := prepared(t)
	h, units := hosttest.Open(t, root)
	effects(t, h)
	must(t, h.Close())
	h, err := host.OpenPlan(root, units)
	must(t, err)
	defer h.Close()
	var planned []host.Change
	again := recorded(h, &planned)
	changed(t, false)(again.WriteFile("/var/lib/kubelet/config.yaml", []byte("kind\n"), 0o600))
	must(t, again.StartUnit(t.Context(), "kubelet.service", "/var/lib/kubelet/config.yaml"))
	must(t, again.OwnTree("/var/lib/kubelet"))
	if len(planned) > 0 {
		t.Fatalf("planned: %v", planned)
	}
	changed(t, true)(again.WriteFile("/var/lib/kubelet/config.yaml", []byte("other\n"), 0o600))
	must(t, again.StartUnit(t.Context(), "kubelet.service", "/var/lib/kubelet/config.yaml"))
	if len(planned) != 2 || planned[0].Verb != host.Update || planned[1].Verb != host.Restart {
		t.Fatalf("planned: %v", planned)
	}
	if want := "-kind\n+other\n"; len(planned[0].Diff) < len(want) || planned[0].Diff[len(planned[0].Diff)-len(want):] != want {
		t.Errorf("diff: %s", planned[0].Diff)
	}
}

// TestEnd: a run that did not end is known by its last effect.
func TestEnd(t *testing.T) {
	h, _ := hosttest.New(t)
	if _, open := h.Unfinished(); open {
		t.Fatal("nothing was begun")
	}
	changed(t, true)(h.Under("certs", nil).WriteFile("/etc/a", nil, 0o600))
	must(t, h.Remember("node", "n1"))
	h, _ = reopen(t, h)
	if r, open := h.Unfinished(); !open || r.By != "certs" || r.Target != "/etc/a" {
		t.Fatalf("unfinished: %v %v", r, open)
	}
	must(t, h.End())
	h, _ = reopen(t, h)
	if r, open := h.Unfinished(); open {
		t.Fatalf("unfinished: %v", r)
	}
	if v, _ := h.Recall("node"); v != "n1" {
		t.Fatalf("recalled %q", v)
	}
}

// TestPlanOfABadPath: a file where a folder should be is an error in a plan too.
func TestPlanOfABadPath(t *testing.T) {
	root := prepared(t)
	h, err := host.OpenPlan(root, &hosttest.Units{Root: root})
	must(t, err)
	defer h.Close()
	if _, err := h.Mode("/etc/theirs/key"); err == nil {
		t.Error("no error")
	}
}
