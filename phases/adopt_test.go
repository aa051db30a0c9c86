package phases

import (
	"context"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"bootstrap/phases/config/configtest"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/machine"
	"bootstrap/phases/observe"
	"bootstrap/phases/spec"
)

// etcdManifest is kubeadm's, as far as it tells where the data is.
func etcdManifest(flag, mountPath, hostPath string) string {
	return `apiVersion: v1
kind: Pod
metadata:
  name: etcd
spec:
  containers:
  - name: etcd
    command:
    - etcd
    - ` + flag + `
    volumeMounts:
    - mountPath: /etc/kubernetes/pki/etcd
      name: etcd-certs
    - mountPath: ` + mountPath + `
      name: etcd-data
  volumes:
  - name: etcd-certs
    hostPath: {path: /etc/kubernetes/pki/etcd}
  - name: etcd-data
    hostPath: {path: ` + hostPath + `}
`
}

// TestAdoptedData: what goes as etcd's data is what its manifest names, and nothing
// that only lies where data usually does.
func TestAdoptedData(t *testing.T) {
	cases := []struct {
		name, manifest string
		want           string
	}{
		{"no manifest", "", ""},
		{"kubeadm's", etcdManifest("--data-dir=/var/lib/etcd", "/var/lib/etcd", "/var/lib/etcd"), "/var/lib/etcd"},
		{"another folder", etcdManifest("--data-dir=/srv/etcd", "/srv/etcd/", "/srv/etcd"), "/srv/etcd"},
		{"another folder on the host", etcdManifest("--data-dir=/var/lib/etcd", "/var/lib/etcd", "/mnt/disk"), "/mnt/disk"},
		{"no flag", etcdManifest("--name=x", "/var/lib/etcd", "/var/lib/etcd"), ""},
		{"inside the container", etcdManifest("--data-dir=/data", "/var/lib/etcd", "/var/lib/etcd"), ""},
		{"no volume", "kind: Pod\nspec: {containers: [{name: etcd, command: [etcd, --data-dir=/var/lib/etcd]}]}\n", ""},
		{"no container", "kind: Pod\n", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			env := testEnv(t, "default")
			hosttest.Put(t, env.Host, "/var/lib/etcd/member/wal", "x", 0o600)
			if c.manifest != "" {
				hosttest.Put(t, env.Host, spec.ManifestFile("etcd"), c.manifest, 0o600)
			}
			got, err := adoptedData(env.Host)
			if err != nil || got != c.want {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		})
	}
	env := testEnv(t, "default")
	hosttest.Put(t, env.Host, spec.ManifestFile("etcd"), "kind: [", 0o600)
	failPhase(t, env, func(ctx context.Context, env *Env) error { return Adopt(ctx, env) },
		"where etcd's data is: /etc/kubernetes/manifests/etcd.yaml: ", "mend it, or move it away to keep the data")
	if all := env.Host.Entries(); len(all) > 0 {
		t.Errorf("it adopted %v all the same", all)
	}
}

// TestAdoptable wants a cluster to be found by any file of kubeadm's, and ours not.
func TestAdoptable(t *testing.T) {
	for _, file := range clusterFiles() {
		env := testEnv(t, "default")
		hosttest.Put(t, env.Host, file, "x", 0o600)
		if got := Adoptable(env); got != file {
			t.Errorf("%s: found %q", file, got)
		}
	}
	env := certsDone(t, "default")
	hosttest.Put(t, env.Host, "/var/lib/kubelet/x", "x", 0o600)
	hosttest.Put(t, env.Host, "/etc/kubernetes/own.conf", "x", 0o600)
	if got := Adoptable(env); got != "" {
		t.Errorf("%s is nothing of kubeadm's", got)
	}
}

// TestAdoptUndoes wants what kubeadm and its kubelet made to go, its kubelet stopped,
// and all else to stay.
func TestAdoptUndoes(t *testing.T) {
	h, units := hosttest.New(t)
	units.Set("kubelet.service", machine.UnitState{Load: "loaded", Active: "active", Sub: "running", Enabled: "enabled"})
	env := Open(Env{Observer: observe.Observer{Spec: spec.Spec{Config: configtest.Valid(t, "default")}, Host: h}})
	go1 := append(kubeadmFiles(), "/var/lib/kubelet/config.yaml", "/var/lib/kubelet/pods/a/b", "/var/log/pods/x/0.log", "/srv/etcd/member/wal")
	for _, file := range go1 {
		hosttest.Put(t, env.Host, file, "x", 0o600)
	}
	hosttest.Put(t, env.Host, spec.ManifestFile("etcd"), etcdManifest("--data-dir=/srv/etcd", "/srv/etcd", "/srv/etcd"), 0o600)
	stay := []string{"/usr/bin/kubelet", "/usr/lib/systemd/system/kubelet.service", "/etc/cni/net.d/05-cilium.conflist",
		"/etc/containerd/config.toml", "/var/lib/containerd/x", "/var/lib/etcd/member/wal", "/root/.kube/config"}
	for _, file := range stay {
		hosttest.Put(t, env.Host, file, "theirs", 0o644)
	}
	if err := Adopt(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	for _, file := range go1 {
		if _, err := os.Lstat(h.Path(file)); err != nil {
			t.Fatalf("adopting has removed something: %v", err)
		}
	}
	if err := Reset().RunAll(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	for _, path := range append(go1, "/etc/kubernetes", "/var/lib/kubelet", "/var/log/pods", "/srv/etcd", "/var/lib/bootstrap") {
		if _, err := os.Lstat(h.Path(path)); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
	for file, state := range files(t, env, "/") {
		if !slices.Contains(stay, "/"+file) && !strings.HasPrefix(file, "run/") {
			t.Errorf("%s is left", file)
		}
		if state.content != "theirs" && slices.Contains(stay, "/"+file) || state.mode != fs.FileMode(0o644) && slices.Contains(stay, "/"+file) {
			t.Errorf("%s was changed", file)
		}
	}
	for _, file := range stay {
		if _, err := os.Lstat(h.Path(file)); err != nil {
			t.Errorf("%s, which was not kubeadm's, is gone", file)
		}
	}
	if !slices.Contains(units.Ops(), "stop kubelet.service") {
		t.Errorf("the kubelet was not stopped: %v", units.Ops())
	}
}
