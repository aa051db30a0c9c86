package phases

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config/configtest"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/machine"
	"bootstrap/phases/runtime"
)

// TestStatusBeforeEtcd: what is there without a control plane is said to be so.
func TestStatusBeforeEtcd(t *testing.T) {
	env := testEnv(t, "default")
	s, err := CurrentStatus(t.Context(), env, time.Time{})
	if err != nil || s.Installed || s.Ready {
		t.Errorf("nothing was made: %+v, %v", s, err)
	}
	runPhase(t, env, runCerts)
	s, err = CurrentStatus(t.Context(), env, time.Time{})
	if err != nil || !s.Installed || s.Ready || s.Since == "" || len(s.Components) > 0 || len(s.Notes) != 1 {
		t.Errorf("only certificates were made: %+v, %v", s, err)
	}
}

// TestComponentStates: each component by the best that is known of it.
func TestComponentStates(t *testing.T) {
	c := configtest.Valid(t, "default")
	no := errors.New("no\nanswer")
	up := diagnose.Server{Dial: diagnose.Open, Status: 200}
	cases := []struct {
		name  string
		found diagnose.Evidence
		r     readiness
		want  string
	}{
		{"healthy", diagnose.Evidence{Etcd: up}, readiness{answers: true, addons: []string{"coredns", "Node"}},
			"containerd+ kubelet+ etcd+ kube-apiserver+ kube-controller-manager+ kube-scheduler+ coredns+ Node+"},
		{"one pod", diagnose.Evidence{Etcd: up}, readiness{answers: true, addons: []string{"Node"}, pending: map[string]error{"kube-scheduler": no}},
			"containerd+ kubelet+ etcd+ kube-apiserver+ kube-controller-manager+ kube-scheduler-(no answer) Node+"},
		{"API server down", diagnose.Evidence{Etcd: up}, readiness{pending: map[string]error{"kube-apiserver": no, "kube-scheduler": no}},
			"containerd+ kubelet+ etcd+ kube-apiserver-(no answer) kube-controller-manager? kube-scheduler-(no answer)"},
		{"etcd says no", diagnose.Evidence{Etcd: diagnose.Server{Dial: diagnose.Open, Status: 503, Failed: []string{"read_index"}}},
			readiness{pending: map[string]error{"kube-apiserver": no}},
			"containerd+ kubelet+ etcd-(not healthy: read_index) kube-apiserver-(no answer) kube-controller-manager? kube-scheduler?"},
		{"both down", diagnose.Evidence{RuntimeError: "refused", Etcd: diagnose.Server{Dial: diagnose.Refused}}, readiness{pending: map[string]error{"kubelet": no, "kube-apiserver": no}},
			"containerd-(refused) kubelet-(no answer) etcd? kube-apiserver-(no answer) kube-controller-manager? kube-scheduler?"},
		{"unit down", diagnose.Evidence{RuntimeError: "x", Etcd: up, Units: map[string]diagnose.Unit{"containerd.service": {Load: "loaded", Active: "failed", Result: "exit-code", ExitStatus: 2}}},
			readiness{answers: true},
			"containerd-(its unit is failed (exit-code, exit status 2)) kubelet+ etcd+ kube-apiserver+ kube-controller-manager+ kube-scheduler+"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, s := range componentStates(c, &tc.found, tc.r) {
				word := s.Name + map[string]string{StateReady: "+", StateNotReady: "-(" + s.Reason + ")", StateUnknown: "?"}[s.State]
				got = append(got, word)
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestWaitForStatus: it ends when all is ready, when waiting is in vain, and in time.
func TestWaitForStatus(t *testing.T) {
	of := func(id string, level diagnose.Level) Status {
		return Status{Installed: true, Cause: &diagnose.Finding{ID: id, Level: level}}
	}
	plain, ready := Status{Installed: true}, Status{Installed: true, Ready: true}
	certain, other := of("a", diagnose.Error), of("b", diagnose.Error)
	cases := []struct {
		name    string
		looks   []Status
		timeout time.Duration
		want    int // looks
	}{
		{"ready at once", []Status{ready}, time.Minute, 1},
		{"ready later", []Status{plain, ready}, time.Minute, 2},
		{"nothing installed", []Status{{}}, time.Minute, 1},
		{"certain twice", []Status{certain, certain}, time.Minute, 2},
		{"another cause", []Status{certain, other, ready}, time.Minute, 3},
		{"only probable", []Status{of("a", diagnose.Warning), of("a", diagnose.Warning), ready}, time.Minute, 3},
		{"in time", []Status{plain, plain, plain, plain}, 1500 * time.Millisecond, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := 0
			_, err := WaitForStatus(t.Context(), c.timeout, func(context.Context) (Status, error) {
				n++
				return c.looks[n-1], nil
			})
			if err != nil || n != c.want {
				t.Errorf("%d looks, want %d; %v", n, c.want, err)
			}
		})
	}
}

// TestPresentCause: what ended before a wait may be mended, and must not end it.
func TestPresentCause(t *testing.T) {
	now := time.Now()
	crashes := func(ago time.Duration) *diagnose.Evidence {
		try := runtime.Container{Name: "etcd", Exited: true, ExitCode: 1, Started: now.Add(-ago - time.Second), Finished: now.Add(-ago),
			Log: []runtime.LogLine{{Text: "Error: unknown flag: --nonsense"}}}
		return &diagnose.Evidence{
			Machine: diagnose.Machine{Now: now, Settings: diagnose.Settings{NodeName: "n", Components: []string{"etcd"}}},
			Since:   now.Add(-lookBack),
			Pods:    []runtime.Sandbox{{Namespace: "kube-system", Name: "etcd-n", Ready: true, Containers: []runtime.Container{try}}},
		}
	}
	for _, c := range []struct {
		name  string
		ended time.Duration // before now
		waits time.Duration // empty: nobody
		want  diagnose.Level
	}{
		{"nobody waits", time.Minute, 0, diagnose.Error},
		{"before the wait", time.Minute, 10 * time.Second, diagnose.Warning},
		{"in it", time.Minute, 2 * time.Minute, diagnose.Error},
	} {
		found := crashes(c.ended)
		if c.waits > 0 {
			found.Waits = now.Add(-c.waits)
		}
		got := presentCause(catalogue(t), found)
		if got == nil || got.ID != "component-bad-flag" || got.Level != c.want {
			t.Errorf("%s: want %s, got %+v", c.name, c.want, got)
		}
	}
	if got := presentCause(catalogue(t), &diagnose.Evidence{Machine: diagnose.Machine{System: diagnose.System{Facts: machine.Facts{Systemd: true, CgroupVersion: 2}}}}); got != nil {
		t.Errorf("of nothing: %+v", got)
	}
}

// TestUsedDisks: the root of an image-based system is read-only, and so may be
// programs that nobody installs.
func TestUsedDisks(t *testing.T) {
	env := testEnv(t, "default")
	env.Bundle = nil
	for _, d := range env.usedDisks() {
		if d.Path == "/" || d.Path == binDir {
			t.Errorf("init without a bundle does not write to %s", d.Path)
		}
	}
}

// TestWaitForStatusInterrupted: a signal is no verdict.
func TestWaitForStatusInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := WaitForStatus(ctx, time.Minute, func(context.Context) (Status, error) { return Status{Installed: true, Ready: true}, nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestReadManifest reads as the kubelet does.
func TestReadManifest(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\nspec:\n  hostNetwork: true\n  more: passed over\n  containers:\n" +
		"  - name: c\n    ports: [{containerPort: 8080}, {containerPort: 53, protocol: UDP}]\n"
	cases := []struct {
		name, text, want, wrong string
		ports                   []int
	}{
		{name: "own network", text: strings.Replace(pod, "hostNetwork: true", "hostNetwork: false", 1), want: "default/x"},
		{name: "of the host", text: pod, want: "default/x", ports: []int{8080}},
		{name: "namespace", text: strings.Replace(pod, "name: x", "name: x\n  namespace: kube-system", 1), want: "kube-system/x", ports: []int{8080}},
		{name: "no YAML", text: strings.Replace(pod, "spec:", "spec", 1), wrong: "line 6"},
		{name: "another type", text: strings.Replace(pod, "8080", "http", 1), wrong: "containerPort"},
		{name: "empty", text: "\n", wrong: "it is empty"},
		{name: "no Pod", text: strings.Replace(pod, "kind: Pod", "kind: Deployment", 1), wrong: "it is no Pod"},
		{name: "no name", text: strings.Replace(pod, "name: x", "labels: {}", 1), wrong: "metadata.name"},
		{name: "no containers", text: "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", wrong: "spec.containers"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			name, ports, err := readManifest([]byte(c.text))
			if name != c.want || !slices.Equal(ports, c.ports) || (err == nil) != (c.wrong == "") {
				t.Errorf("%q, %v, %v", name, ports, err)
			}
			if err != nil && !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%v lacks %q", err, c.wrong)
			}
		})
	}
}

// TestManifestEvidence: all that the kubelet reads, and of ours only what this run has
// written already.
func TestManifestEvidence(t *testing.T) {
	env := testEnv(t, "default")
	runPhase(t, env, runEtcd)
	hosttest.Put(t, env.Host, staticPodDir+"/etcd.yaml.bak", "x: [", 0o600)
	hosttest.Put(t, env.Host, staticPodDir+"/.etcd.yaml.swp", "x", 0o600)
	got := env.manifestEvidence(Written)
	if len(got) != 2 || !got[0].Ours || got[0].Name != "kube-system/etcd" || got[1].Ours || got[1].Error == "" {
		t.Errorf("got %+v", got)
	}
	if got := env.manifestEvidence(Begun); len(got) != 1 || got[0].Ours {
		t.Errorf("before they are written: %+v", got)
	}
	if got := env.manifestEvidence(Serving); len(got) != 2 {
		t.Errorf("after that: %+v", got)
	}
	hosttest.Remove(t, env.Host, manifestFile("etcd"))
	want := []diagnose.File{{Path: manifestFile("etcd"), Drift: "gone"}}
	if got := env.fileEvidence(t.Context(), Written); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := env.fileEvidence(t.Context(), Serving); len(got) > 0 {
		t.Errorf("before they are written: %+v", got)
	}
}

// TestAddonsAwaited: only where the addons have the form that is wanted, what ails them is certain.
func TestAddonsAwaited(t *testing.T) {
	env := testEnv(t, "default")
	for stage, want := range map[Stage]bool{Begun: false, Serving: false, Written: false, Complete: true} {
		if got := env.evidence(t.Context(), Query{Stage: stage, Since: time.Now()}).Addons; got != want {
			t.Errorf("at stage %d: %t", stage, got)
		}
	}
}

// TestOwnResolver: the config can say that there is none.
func TestOwnResolver(t *testing.T) {
	env := testEnv(t, "default")
	given := *env.Config
	given.Kubelet = map[string]any{"resolvConf": ""}
	env.Config = &given
	m := env.machine(t.Context())
	if !m.Resolver.Read || !m.Resolver.Own || m.Resolver.File != "" || !m.System.Read {
		t.Errorf("got %+v, system read: %t", m.Resolver, m.System.Read)
	}
}
