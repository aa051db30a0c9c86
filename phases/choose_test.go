package phases

import (
	"os"
	"slices"
	"testing"

	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/spec"
)

// TestForeignFiles wants what others left to be found, and what is ours not.
func TestForeignFiles(t *testing.T) {
	env := testEnv(t, "default")
	if files, data := env.Observe().TakenManifests(), env.Observe().ForeignEtcdData(); files != nil || data != "" {
		t.Errorf("on a fresh machine: %v, %s", files, data)
	}
	hosttest.Put(t, env.Host, "/etc/kubernetes/manifests/etcd.yaml", "x", 0o600)
	hosttest.Put(t, env.Host, "/var/lib/etcd/member/wal", "x", 0o600)
	if files, data := env.Observe().TakenManifests(), env.Observe().ForeignEtcdData(); !slices.Equal(files, []string{"/etc/kubernetes/manifests/etcd.yaml"}) || data != "/var/lib/etcd" {
		t.Errorf("%v, %s", files, data)
	}

	ours := testEnv(t, "default")
	if err := (Plan{{etcdPhase}}).Run(t.Context(), ours); err != nil {
		t.Fatal(err)
	}
	hosttest.Put(t, ours.Host, "/var/lib/etcd/member/wal", "x", 0o600)
	if files, data := ours.Observe().TakenManifests(), ours.Observe().ForeignEtcdData(); files != nil || data != "" {
		t.Errorf("after our own etcd phase: %v, %s", files, data)
	}
}

// TestNodeNetworkOnce: once flannel runs, cni-install keeps the file to the Node's range.
func TestNodeNetworkOnce(t *testing.T) {
	env := testEnv(t, "default")
	write := func() {
		t.Helper()
		if err := env.writeNodeNetwork(); err != nil {
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
