package phases

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/spec"
)

// aheadEnv is a node without a cluster, on which a runtime and a kubelet can be set up.
func aheadEnv(t *testing.T) *Env {
	t.Helper()
	env := testEnv(t, "default")
	env.Choices.Runtime = spec.Runtime{Endpoint: "unix:///run/crio/crio.sock"}
	env.Choices.Kubelet = spec.Kubelet{Path: "/usr/bin/kubelet"}
	return env
}

// TestLookAhead: what would stop a phase in the midst of its work is found before, once, and nothing is
// changed by looking.
func TestLookAhead(t *testing.T) {
	link := func(t *testing.T, env *Env, path string) {
		hosttest.Put(t, env.Host, filepath.Dir(path)+"/k3s", "", 0o600)
		if err := os.Symlink("k3s", env.Host.Path(path)); err != nil {
			t.Fatal(err)
		}
	}
	maker := certsDone(t, "default")
	cases := map[string]struct {
		spoil              func(*testing.T, *Env)
		path, certificates string // what is said of them; empty: nothing
	}{
		"a new machine":    {func(*testing.T, *Env) {}, "", ""},
		"a link of a file": {func(t *testing.T, env *Env) { link(t, env, spec.KubeletConfig) }, `"/var/lib/kubelet/config.yaml" is a symbolic link`, ""},
		"a link of a manifest": {func(t *testing.T, env *Env) { link(t, env, spec.ManifestFile("etcd")) },
			`"/etc/kubernetes/manifests/etcd.yaml" is a symbolic link`, ""},
		"a folder of another user": {func(t *testing.T, env *Env) {
			hosttest.Put(t, env.Host, "/etc/kubernetes/x", "", 0o600)
			if err := os.Chown(env.Host.Path("/etc/kubernetes"), 1000, 0); err != nil {
				t.Fatal(err)
			}
		}, `"/etc/kubernetes" belongs to user 1000`, ""},
		"a CA and its key": {func(t *testing.T, env *Env) {
			copyFrom(t, maker, env, pkiDir+"/ca.crt")
			copyFrom(t, maker, env, pkiDir+"/ca.key")
		}, "", ""},
		"a CA without its key": {func(t *testing.T, env *Env) { copyFrom(t, maker, env, pkiDir+"/ca.crt") }, "", "/ca.crt has no key beside it"},
		"a CA with another key": {func(t *testing.T, env *Env) {
			copyFrom(t, maker, env, pkiDir+"/ca.crt")
			copyFrom(t, maker, env, pkiDir+"/sa.key")
			if err := os.Rename(env.Host.Path(pkiDir+"/sa.key"), env.Host.Path(pkiDir+"/ca.key")); err != nil {
				t.Fatal(err)
			}
		}, "", "/ca.crt: the key beside it does not belong to it"},
		"a key that is open": {func(t *testing.T, env *Env) {
			copyFrom(t, maker, env, pkiDir+"/sa.key")
			chmod(t, env, pkiDir+"/sa.key", 0o644)
		}, "", "/sa.key holds a key, and others may read it"},
		"a unit that is masked, which another check names": {func(t *testing.T, env *Env) {
			unit := env.Host.Path("/etc/systemd/system/kubelet.service")
			if err := errors.Join(os.MkdirAll(filepath.Dir(unit), 0o755), os.Symlink("/dev/null", unit)); err != nil {
				t.Fatal(err)
			}
		}, "", ""},
		"a damaged file": {func(t *testing.T, env *Env) { hosttest.Put(t, env.Host, pkiDir+"/front-proxy-ca.crt", "x", 0o644) },
			"", "/front-proxy-ca.crt: no PEM certificate in it"},
		"a damaged file that nobody will read": {func(t *testing.T, env *Env) {
			hosttest.Put(t, env.Host, pkiDir+"/front-proxy-ca.crt", "x", 0o644)
			env.Skipped = []string{"certs", "kubeconfig"}
		}, "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			env := aheadEnv(t)
			c.spoil(t, env)
			before := files(t, env, "/")
			var u diagnose.Unfit
			if err := env.lookAhead(t.Context(), &u); err != nil {
				t.Fatal(err)
			}
			wantProblem(t, u.Paths, c.path)
			wantProblem(t, u.Certs, c.certificates)
			if names := changed(before, files(t, env, "/")); len(names) > 0 {
				t.Errorf("it changed %v", names)
			}
		})
	}
}

func wantProblem(t *testing.T, found []diagnose.Problem, says string) {
	t.Helper()
	switch {
	case says == "" && len(found) == 0:
	case says == "" || len(found) != 1 || !strings.Contains(found[0].What, says) || found[0].Mend == "":
		t.Errorf("want one that says %q and what to do, got %+v", says, found)
	}
}

// TestLookAheadCutOff: on a machine that is too slow for a look, what was found counts, and what was missed does not.
func TestLookAheadCutOff(t *testing.T) {
	env := aheadEnv(t)
	hosttest.Put(t, env.Host, filepath.Dir(spec.KubeletConfig)+"/k3s", "", 0o600)
	if err := os.Symlink("k3s", env.Host.Path(spec.KubeletConfig)); err != nil {
		t.Fatal(err)
	}
	hosttest.Put(t, env.Host, pkiDir+"/ca.crt", "x", 0o644)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var u diagnose.Unfit
	if err := env.lookAhead(ctx, &u); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, u.Paths, `"/var/lib/kubelet/config.yaml" is a symbolic link`)
	wantProblem(t, u.Certs, "")
}
