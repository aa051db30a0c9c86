package phases

import (
	"os"
	"slices"
	"testing"

	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/spec"
)

// foreignFiles are what preflight finds of others where ours will be.
func foreignFiles(t *testing.T, env *Env) []string {
	t.Helper()
	var found []string
	for _, f := range env.Observe().Inspect(t.Context(), false).Findings {
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

// TestNodeNetworkOnce: once flannel runs, cni-install keeps the file to the Node's range.
func TestNodeNetworkOnce(t *testing.T) {
	env := testEnv(t, "default")
	write := func() {
		t.Helper()
		if err := writeNodeNetwork(env.Host, &env.Spec); err != nil {
			t.Fatal(err)
		}
	}
	write()
	hosttest.Put(t, env.Host, spec.NetworkFile, "of cni-install", 0o600)
	hosttest.Put(t, env.Host, spec.FlannelTree+"/subnet.env", "", 0o644)
	write()
	if got, err := env.Host.ReadFile(spec.NetworkFile); err != nil || string(got) != "of cni-install" {
		t.Errorf("%s, %v", got, err)
	}
	if err := os.Remove(env.Host.Path(spec.NetworkFile)); err != nil {
		t.Fatal(err)
	}
	write()
	if !env.Host.Exists(spec.NetworkFile) {
		t.Error("it is gone, and flannel may not run")
	}
}
