package phases

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config/configtest"
	"bootstrap/phases/host"
	"bootstrap/phases/plan/plantest"
	"bootstrap/phases/spec"
	"bootstrap/phases/state"
)

func TestStandaloneOrder(t *testing.T) {
	want := [][]string{{"preflight"}, {"runtime", "kubelet"}, {"images"}, {"kubelet-start"}, {"wait-kubelet"}}
	if diff := cmp.Diff(want, stepNames(InitPlan(configtest.Valid(t, "standalone")))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(stepNames(Init()), stepNames(InitPlan(configtest.Valid(t, "default")))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestStandaloneKubelet: it knows no API server, lets nobody in, and the header of its URL
// is neither shown nor uploaded.
func TestStandaloneKubelet(t *testing.T) {
	env := testEnv(t, "standalone")
	if args := strings.Join(spec.KubeletArgs(env.Config), " "); strings.Contains(args, "kubeconfig") || strings.Contains(args, "taints") {
		t.Errorf("flags: %s", args)
	}
	var told []host.Change
	env.Host = env.Host.Under("kubelet", func(c host.Change) { told = append(told, c) })
	env.Choices.Runtime.Endpoint = "unix:///x"
	if err := writeKubeletConfig(env); err != nil {
		t.Fatal(err)
	}
	data, err := env.Host.ReadFile(spec.KubeletConfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"mode: AlwaysAllow", "staticPodURL: https://pods.example.com/", "Bearer not-a-real-token", "clientCAFile: /etc/ssl/operators.crt"} {
		if !strings.Contains(string(data), line) {
			t.Errorf("no %q in:\n%s", line, data)
		}
	}
	if len(told) == 0 || told[len(told)-1].Diff != "" {
		t.Errorf("shown: %+v", told)
	}
	if mode, err := env.Host.Mode(spec.KubeletConfig); err != nil || mode != 0o600 {
		t.Errorf("mode %o, %v", mode, err)
	}
	env.Config.Box.Standalone = false
	uploaded, err := env.ClusterKubeletConfig()
	if err != nil || strings.Contains(string(uploaded), "staticPodURL") || strings.Contains(string(uploaded), "not-a-real-token") {
		t.Errorf("for other nodes: %v\n%s", err, uploaded)
	}
	if spec.NodeNetwork(env.Config, env.Facts).Masq {
		t.Error("in a cluster, flannel hides pods' addresses, and only from the world")
	}
}

// TestControlPlaneBeside: a control plane may be made beside a standalone kubelet's pods, and
// the other way round it is refused.
func TestControlPlaneBeside(t *testing.T) {
	env := testEnv(t, "standalone")
	makeStandalone(t, env)
	if note, _ := env.Host.Recall(state.StandaloneNote); strings.Contains(note, "not-a-real-token") {
		t.Errorf("the ledger keeps %s", note)
	}
	if err := env.CheckStandaloneAlone(); err != nil || env.State().WasStandalone() {
		t.Errorf("standalone again: %v", err)
	}
	if _, err := env.Host.WriteFile(spec.KubeletConf, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	plantest.CheckError(t, env.CheckStandaloneAlone(), "there is a control plane on this machine", "remove it, and run this again: bootstrap reset")
	if !env.State().WasStandalone() {
		t.Error("reset does not know that it removes a standalone kubelet too")
	}
	env.Config = configtest.Valid(t, "default")
	if err := env.CheckStandaloneAlone(); err != nil {
		t.Errorf("a control plane: %v", err)
	}
}

// TestStandaloneGone: a reset that keeps the runtime keeps the ledger, and no standalone
// kubelet: the next one may be a control plane's alone.
func TestStandaloneGone(t *testing.T) {
	env := testEnv(t, "standalone")
	if _, err := env.forPurpose(host.Runtime).Host.WriteFile(spec.ContainerdUnit, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	makeStandalone(t, env)
	env.Keep.Runtime = true
	runPhase(t, env, runUndo)
	if !env.Host.Made(spec.ContainerdUnit) {
		t.Fatal("the runtime is not kept")
	}
	for _, file := range []string{spec.KubeletDropIn, spec.KubeletConf} {
		if _, err := env.Host.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := env.State().StandaloneConfig(); c != nil || err != nil || env.State().WasStandalone() {
		t.Errorf("%v, %v", c, err)
	}
}

func makeStandalone(t *testing.T, env *Env) {
	t.Helper()
	if _, err := env.Host.WriteFile(spec.KubeletDropIn, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := env.State().Remember(state.StandaloneNote, state.StandaloneRecord); err != nil {
		t.Fatal(err)
	}
}
