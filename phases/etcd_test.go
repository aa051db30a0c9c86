package phases

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config"
	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/patch"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

const etcdLog = "/var/lib/etcd/member/wal/0000000000000000-0000000000000000.wal"

func writtenEtcd(t *testing.T, env *Env) string {
	t.Helper()
	data, err := env.Host.ReadFile(spec.ManifestFile("etcd"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// stateIn is what a manifest says of etcd's cluster.
func stateIn(t *testing.T, manifest string) string {
	t.Helper()
	pod, err := spec.DecodePod([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	for _, arg := range pod.Spec.Containers[0].Command {
		if state, ok := strings.CutPrefix(arg, "--initial-cluster-state="); ok {
			return state
		}
	}
	return ""
}

// TestEtcdCluster: once etcd has begun it never makes a new cluster again, and nothing
// restarts it for that.
func TestEtcdCluster(t *testing.T) {
	env := testEnv(t, "default").forPhase(etcdPhase.Name)
	runPhase(t, env, runEtcd)
	before := writtenEtcd(t, env)
	if got := stateIn(t, before); got != "new" {
		t.Errorf("with nothing there it is %q", got)
	}
	if err := keepEtcdCluster(env); err != nil || writtenEtcd(t, env) != before {
		t.Errorf("etcd has not begun: %v", err)
	}
	if _, err := env.Host.WriteFile("/etc/kubernetes/pki/etcd/ca.crt", []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}

	hosttest.Put(t, env.Host, etcdLog, "x", 0o600)
	seen := &plan.Events{}
	env.Tell.To = seen.Take
	if err := keepEtcdCluster(env.forPhase("control-plane")); err != nil || len(seen.All) > 0 {
		t.Fatalf("%v, and it tells of %v", err, seen.All)
	}
	after := writtenEtcd(t, env)
	if got := stateIn(t, after); got != "existing" {
		t.Errorf("etcd has begun, and it is %q", got)
	}
	if diff := strings.Replace(before, "state=new", "state=existing", 1); after != diff {
		t.Errorf("more than that has changed:\n%s", cmp.Diff(diff, after))
	}
	if !env.Host.Outdated("etcd", "/etc/kubernetes/pki/etcd/ca.crt") {
		t.Error("etcd counts as restarted")
	}

	again := env.forPhase(etcdPhase.Name)
	if err := runEtcd(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if err := keepEtcdCluster(again); err != nil {
		t.Fatal(err)
	}
	if changed := seen.Texts(plan.Changed); len(changed) > 0 || writtenEtcd(t, env) != after {
		t.Errorf("init again changes %v", changed)
	}
}

// TestEtcdOfBefore: the manifest of a program that said nothing of the cluster is mended.
func TestEtcdOfBefore(t *testing.T) {
	env := testEnv(t, "default").forPhase(etcdPhase.Name)
	runPhase(t, env, runEtcd)
	old := strings.Replace(writtenEtcd(t, env), "    - \"--initial-cluster-state=new\"\n", "", 1)
	if _, err := env.Host.WriteFile(spec.ManifestFile("etcd"), []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	hosttest.Put(t, env.Host, etcdLog, "x", 0o600)
	runPhase(t, env, runEtcd)
	if got := stateIn(t, writtenEtcd(t, env)); got != "existing" {
		t.Errorf("it is %q", got)
	}
}

// TestEtcdClusterOfUser: neither an extra argument nor a patch brings back the new cluster.
func TestEtcdClusterOfUser(t *testing.T) {
	dir := t.TempDir()
	text := "metadata: {annotations: {mine: \"true\"}}\n"
	if err := os.WriteFile(filepath.Join(dir, "etcd.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	patches, err := patch.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	env := testEnv(t, "default").forPhase(etcdPhase.Name)
	env.Patches = patches
	env.Config.Etcd.ExtraArgs = []config.Arg{{Name: "initial-cluster-state", Value: "new"}}
	runPhase(t, env, runEtcd)
	uid, err := env.ManifestUID("etcd")
	if err != nil {
		t.Fatal(err)
	}
	hosttest.Put(t, env.Host, etcdLog, "x", 0o600)
	for range 2 {
		if err := keepEtcdCluster(env); err != nil {
			t.Fatal(err)
		}
		manifest := writtenEtcd(t, env)
		if got := stateIn(t, manifest); got != "existing" || !strings.Contains(manifest, "mine:") || !strings.Contains(manifest, uid) {
			t.Errorf("it is %q, or is restarted for it:\n%s", got, manifest)
		}
		runPhase(t, env, runEtcd)
	}
}

// TestEtcdDataGone: an empty folder is refused by preflight, and by the phase alone.
func TestEtcdDataGone(t *testing.T) {
	env := testEnv(t, "default").forPhase(etcdPhase.Name)
	runPhase(t, env, runEtcd)
	if errs := env.CheckCluster(); len(errs) > 0 {
		t.Errorf("etcd has not begun yet: %v", errs)
	}
	hosttest.Put(t, env.Host, etcdLog, "x", 0o600)
	if err := keepEtcdCluster(env); err != nil {
		t.Fatal(err)
	}
	if errs := env.CheckCluster(); len(errs) > 0 {
		t.Errorf("it is there: %v", errs)
	}
	before := writtenEtcd(t, env)
	if err := os.RemoveAll(env.Host.Path("/var/lib/etcd/member")); err != nil {
		t.Fatal(err)
	}
	hosttest.Put(t, env.Host, "/var/lib/etcd/member/snap/db", "what an etcd leaves that found nothing", 0o600)
	found, cause := env.CheckCluster(), (*plan.CauseError)(nil)
	if len(found) != 1 || !errors.As(found[0], &cause) || cause.ID != "etcd-data-gone" {
		t.Errorf("got %+v", found)
	}
	failPhase(t, env, runEtcd, "/var/lib/etcd holds no data")
	if writtenEtcd(t, env) != before {
		t.Error("the manifest was written")
	}

	hosttest.Put(t, env.Host, etcdLog, "restored", 0o600)
	runPhase(t, env, runEtcd)
}

// TestEtcdDataAfterReset: with the cluster the memory of its data ends.
func TestEtcdDataAfterReset(t *testing.T) {
	env := testEnv(t, "default").forPhase(etcdPhase.Name)
	runPhase(t, env, runEtcd)
	hosttest.Put(t, env.Host, etcdLog, "x", 0o600)
	if err := keepEtcdCluster(env); err != nil {
		t.Fatal(err)
	}
	if err := env.Host.UndoAll(t.Context(), func(host.Record) bool { return false }); err != nil {
		t.Fatal(err)
	}
	runPhase(t, env, runEtcd)
	if got := stateIn(t, writtenEtcd(t, env)); got != "new" {
		t.Errorf("it is %q", got)
	}
}

// foreignFiles are what preflight finds of others where ours will be.
func foreignFiles(t *testing.T, env *Env) []string {
	t.Helper()
	var found []string
	for _, f := range env.Inspect(t.Context(), false, env.lookAhead).Findings {
		if f.ID == "foreign-manifest" || f.ID == "etcd-foreign-data" {
			found = append(found, f.What)
		}
	}
	return found
}

// TestForeignFiles wants what others left to be found, and what is ours not.
func TestForeignFiles(t *testing.T) {
	env := testEnv(t, "default")
	if found := foreignFiles(t, env); len(found) > 0 {
		t.Errorf("on a fresh machine: %q", found)
	}
	hosttest.Put(t, env.Host, "/etc/kubernetes/manifests/etcd.yaml", "x", 0o600)
	hosttest.Put(t, env.Host, "/var/lib/etcd/member/wal", "x", 0o600)
	want := []string{"/etc/kubernetes/manifests/etcd.yaml is there, and bootstrap did not make it", "/var/lib/etcd holds data that is not of this cluster"}
	found := foreignFiles(t, env)
	slices.Sort(found)
	if !slices.Equal(found, want) {
		t.Errorf("got %q", found)
	}

	ours := testEnv(t, "default")
	if err := (Plan{{etcdPhase}}).Run(t.Context(), ours); err != nil {
		t.Fatal(err)
	}
	hosttest.Put(t, ours.Host, "/var/lib/etcd/member/wal", "x", 0o600)
	if found := foreignFiles(t, ours); len(found) > 0 {
		t.Errorf("after our own etcd phase: %q", found)
	}
}
