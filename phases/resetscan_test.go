package phases

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config"
	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/machine"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

func TestLeftOver(t *testing.T) {
	failures := []error{
		fmt.Errorf("undo tree /var/lib/kubelet: %w", &host.ObstacleError{Path: "/var/lib/kubelet/pods/a/vol", What: "vol is mounted", Fix: "umount vol"}),
		fmt.Errorf("undo file /etc/a.conf: %w", &host.ObstacleError{Path: "/etc/a.conf", What: "/etc/a.conf was changed", Fix: "rm a"}),
		plan.Hint(errors.New("pod etcd-node-1: the runtime hangs"), "restart it"),
		fmt.Errorf("undo dir /srv: %w", &host.ObstacleError{Path: "/srv", What: "/srv holds /etc/b", Fix: "ls"}),
		&host.ObstacleError{Path: "/etc/b", What: "/etc/b was changed", Fix: "rm b"},
	}
	still := func(target string) Left {
		return Left{What: target, Why: "this file is still there", Hint: "bootstrap reset"}
	}
	cases := map[string]Left{
		"/etc/a.conf": {"/etc/a.conf", "/etc/a.conf was changed", "rm a"},
		// the failure about it counts for more than one before that names it
		"/etc/b": {"/etc/b", "/etc/b was changed", "rm b"},
		// a folder is there because of what is in it
		"/var/lib/kubelet": {"/var/lib/kubelet/pods/a/vol", "vol is mounted", "umount vol"},
		"etcd-node-1":      {"etcd-node-1", "pod etcd-node-1: the runtime hangs", "restart it"},
		// another thing whose name begins the same explains nothing
		"/etc/a":     still("/etc/a"),
		"etcd-node":  still("etcd-node"),
		"/var/lib/k": still("/var/lib/k"),
		"/nowhere":   still("/nowhere"),
	}
	for target, want := range cases {
		if diff := cmp.Diff([]Left{want}, leftOver(host.Change{Op: host.OpFile, Target: target}, failures)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", target, diff)
		}
	}
}

// resetEnv is an Env that reset is given, on a root of its own, with a kubelet that
// runs. Whatever fail answers with an error, systemd does not do.
func resetEnv(t *testing.T, fail func(op string) error) (env *Env, scan func(error) []Left, units *hosttest.Units) {
	t.Helper()
	h, units := hosttest.New(t)
	if err := h.For(host.Etcd).OwnTree("/var/lib/etcd"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteFile(spec.KubeletUnitFile, []byte("[Unit]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.StartUnit(t.Context(), "kubelet.service"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteFile("/etc/kubernetes/a", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	units.Fail = fail
	dry, err := host.OpenPlan(h.Path("/"), units)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dry.Close() })
	var seen Scan
	env = Open(Env{Observer: observe.Observer{Spec: spec.Spec{Config: &config.Config{}}, Host: h}})
	looking := Open(Env{Observer: observe.Observer{Spec: spec.Spec{Config: &config.Config{}}, Host: dry, Tell: plan.Teller{To: seen.Take}}})
	scan = func(failed error) []Left { return seen.Verdict(t.Context(), env, looking, failed) }
	return env, scan, units
}

func TestVerdictClean(t *testing.T) {
	env, scan, _ := resetEnv(t, nil)
	if err := Reset().RunAll(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	if left := scan(nil); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// doesNotStop is what systemd answers for a unit that hangs.
func doesNotStop(op string) error {
	if strings.HasPrefix(op, "stop ") {
		return &host.ObstacleError{Path: "kubelet.service", What: "stop kubelet.service: timeout", Fix: "journalctl -u kubelet.service -n 50"}
	}
	return nil
}

// TestVerdictUnitRuns wants a daemon that would not stop to be named, once, with why.
func TestVerdictUnitRuns(t *testing.T) {
	env, scan, units := resetEnv(t, doesNotStop)
	units.Set("kubelet.service", machine.UnitState{Load: "loaded", Active: "active"}) // with its file or without
	failed := Reset().RunAll(t.Context(), env)
	want := []Left{{What: "kubelet.service", Why: "stop kubelet.service: timeout", Hint: "journalctl -u kubelet.service -n 50"}}
	if diff := cmp.Diff(want, scan(failed)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := env.Host.ReadFile("/etc/kubernetes/a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the rest was not undone: %v", err)
	}
}

// TestVerdictLedgerGoes: a unit that would not stop and has ended since is not left, and
// then the ledger is not left either.
func TestVerdictLedgerGoes(t *testing.T) {
	env, scan, units := resetEnv(t, doesNotStop)
	failed := Reset().RunAll(t.Context(), env)
	if failed == nil {
		t.Fatal("it did stop")
	}
	units.Set("kubelet.service", machine.UnitState{Load: "not-found", Active: "inactive"})
	if left := scan(failed); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := os.Lstat(env.Host.Path("/var/lib/bootstrap")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the ledger: %v", err)
	}
}

// TestVerdictLooks wants what is there to count, not what the reset returned.
func TestVerdictLooks(t *testing.T) {
	_, scan, _ := resetEnv(t, nil)
	left := scan(nil) // no reset was made
	var got []string
	for _, l := range left {
		got = append(got, l.What)
	}
	want := []string{"kubelet.service", "/etc/kubernetes/a", "/etc/kubernetes", spec.KubeletUnitFile, "/etc/systemd/system", "/etc/systemd", "/etc"}
	for _, what := range want {
		if !strings.Contains(strings.Join(got, " ")+" ", what+" ") {
			t.Errorf("%s is not named: %v", what, got)
		}
	}
}

// TestVerdictElsewhere: what stays in the cluster is left, though this machine is clean.
func TestVerdictElsewhere(t *testing.T) {
	env, scan, _ := resetEnv(t, nil)
	failed := errors.Join(elsewhere("etcd's member a", plan.Hint(errors.New("unhealthy cluster"), "on another node")),
		Reset().RunAll(t.Context(), env))
	want := []Left{{"etcd's member a", "unhealthy cluster", "on another node"}}
	if diff := cmp.Diff(want, scan(failed)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
