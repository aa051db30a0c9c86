package phases

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/spec"
)

const (
	aliceUID = 1234
	rootKube = "/root/.kube/config"
	herKube  = "/home/alice/.kube/config"
)

// homesEnv is a node with kubeconfigs and two homes; alice runs sudo.
func homesEnv(t *testing.T) *Env {
	t.Helper()
	env := testEnv(t, "default")
	env.Config.WriteKubeconfig = true
	hosttest.Put(t, env.Host, "/etc/passwd", "+:x:::NIS:/srv/nis:\nroot:x:0:0:root:/root:/bin/bash\nbob:x:123:123::/home/bob:/bin/sh\nalice:x:1234:1235:Alice,,:/home/alice:/bin/bash\n", 0o644)
	for home, owner := range map[string]host.Owner{"/root": {}, "/home/alice": {UID: aliceUID, GID: 1235}} {
		if err := os.MkdirAll(env.Host.Path(home), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(env.Host.Path(home), owner.UID, owner.GID); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("SUDO_UID", "1234")
	t.Setenv("KUBECONFIG", "")
	runPhase(t, env, runCerts)
	runPhase(t, env, runKubeconfigs)
	return env
}

// TestWriteKubeconfig: root and who ran sudo get admin.conf, and reset takes it again.
func TestWriteKubeconfig(t *testing.T) {
	env := homesEnv(t)
	runPhase(t, env, runWriteKubeconfig)
	admin, err := env.Host.ReadFile(spec.AdminConf)
	if err != nil {
		t.Fatal(err)
	}
	for file, uid := range map[string]int{rootKube: 0, herKube: aliceUID} {
		data, err := env.Host.ReadOwned(file, host.Owner{UID: uid})
		if err != nil || string(data) != string(admin) {
			t.Errorf("%s: %v\n%s", file, err, data)
		}
		if mode, err := env.Host.Mode(file); err != nil || mode != 0o600 {
			t.Errorf("%s has mode %o, %v", file, mode, err)
		}
	}
	before := files(t, env, "/home")
	if found := kubeconfigProblems(t, env); len(found) > 0 {
		t.Errorf("its own entries: %v", found)
	}
	if notes := runPhase(t, env, runWriteKubeconfig); len(notes) > 0 || len(changed(before, files(t, env, "/home"))) > 0 {
		t.Errorf("again: %q", notes)
	}
	if err := env.Host.UndoAll(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if left := files(t, env, "/home"); len(left) > 0 || env.Host.Exists("/home/alice/.kube") || env.Host.Exists("/root/.kube") {
		t.Errorf("left: %v", left)
	}
}

// kubeconfigProblems are what preflight finds.
func kubeconfigProblems(t *testing.T, env *Env) []diagnose.Problem {
	t.Helper()
	var u diagnose.Unfit
	if err := env.lookAhead(t.Context(), &u); err != nil {
		t.Fatal(err)
	}
	return u.Kubeconfigs
}

func TestWriteKubeconfigRefusesAnotherCluster(t *testing.T) {
	env := homesEnv(t)
	other := kubeconfigsDone(t, "default")
	theirs, err := other.Host.ReadFile(spec.AdminConf)
	if err != nil {
		t.Fatal(err)
	}
	if found := kubeconfigProblems(t, env); len(found) > 0 {
		t.Errorf("before: %v", found)
	}
	hosttest.Put(t, env.Host, rootKube, string(theirs), 0o600)
	if found := kubeconfigProblems(t, env); len(found) != 1 || !strings.Contains(found[0].Mend, "kubectl config delete-cluster kubernetes") {
		t.Errorf("preflight: %v", found)
	}
	failPhase(t, env, runWriteKubeconfig, rootKube+`: its entry "kubernetes" of clusters belongs to another cluster`,
		"kubectl config delete-cluster kubernetes")
	if data, err := env.Host.ReadFile(rootKube); err != nil || string(data) != string(theirs) {
		t.Errorf("%v\n%s", err, data)
	}
}

func TestWriteKubeconfigWithoutHome(t *testing.T) {
	env := homesEnv(t)
	if err := os.RemoveAll(env.Host.Path("/root")); err != nil {
		t.Fatal(err)
	}
	want := []string{"user 0 gets no ~/.kube/config: neither /etc/passwd nor getent knows a home that is there"}
	if diff := cmp.Diff(want, runPhase(t, env, runWriteKubeconfig)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestKubeconfigOfDirectoryUser: somebody whom /etc/passwd does not know gets it by what sudo says, or an
// error, in preflight too: nobody would see a warning that scrolls by.
func TestKubeconfigOfDirectoryUser(t *testing.T) {
	env := homesEnv(t)
	for name, value := range map[string]string{"SUDO_UID": "5000", "SUDO_GID": "5000", "SUDO_HOME": ""} {
		t.Setenv(name, value)
	}
	const unknown = "user 5000 gets no ~/.kube/config: neither /etc/passwd nor getent knows a home that is there"
	if found := kubeconfigProblems(t, env); len(found) != 1 || found[0].What != unknown || found[0].Mend == "" {
		t.Errorf("preflight: %+v", found)
	}
	failPhase(t, env, runWriteKubeconfig, unknown, "SUDO_HOME=DIR")
	t.Setenv("SUDO_HOME", "/home/ada")
	failPhase(t, env, runWriteKubeconfig, unknown, "SUDO_HOME=DIR")
	if err := errors.Join(os.MkdirAll(env.Host.Path("/home/ada"), 0o755), os.Chown(env.Host.Path("/home/ada"), 5000, 5000)); err != nil {
		t.Fatal(err)
	}
	if found := kubeconfigProblems(t, env); len(found) > 0 {
		t.Errorf("preflight: %+v", found)
	}
	runPhase(t, env, runWriteKubeconfig)
	if _, err := env.Host.ReadOwned("/home/ada/.kube/config", host.Owner{UID: 5000, GID: 5000}); err != nil {
		t.Error(err)
	}
}

// TestKubeconfigElsewhere: where KUBECONFIG is set, kubectl does not read what was written.
func TestKubeconfigElsewhere(t *testing.T) {
	env := homesEnv(t)
	for list, warned := range map[string]bool{"": false, "/tmp/job/kubeconfig": true, "/tmp/job/kubeconfig:" + herKube: false} {
		t.Setenv("KUBECONFIG", list)
		if told := runPhase(t, env, runWriteKubeconfig); (len(told) == 1) != warned {
			t.Errorf("KUBECONFIG=%s: %q", list, told)
		}
	}
}

func TestKubeconfigUIDs(t *testing.T) {
	for given, want := range map[string][]int{"": {0}, "0": {0}, "1234": {0, 1234}, "-1": {0}, "alice": {0}} {
		if diff := cmp.Diff(want, kubeconfigUIDs(given)); diff != "" {
			t.Errorf("%q: %s", given, diff)
		}
	}
}

// TestWriteKubeconfigPlan tells of the files and shows no key.
func TestWriteKubeconfigPlan(t *testing.T) {
	env := homesEnv(t)
	plan, err := host.OpenPlan(env.Host.Path("/"), &hosttest.Units{})
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	var told []string
	env.Host = plan.Under("test", func(c host.Change) { told = append(told, c.Target+c.Diff) })
	runPhase(t, env, runWriteKubeconfig)
	if diff := cmp.Diff([]string{"/root/.kube", rootKube, "/home/alice/.kube", herKube}, told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
