package status

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config/configtest"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/machine"
	"bootstrap/phases/ready"
	"bootstrap/phases/runtime"
)

// TestComponentStates: each component by the best that is known of it.
func TestComponentStates(t *testing.T) {
	c := configtest.Valid(t, "default")
	no := errors.New("no\nanswer")
	up := diagnose.Server{Dial: diagnose.Open, Status: 200}
	cases := []struct {
		name  string
		found diagnose.Evidence
		r     ready.Readiness
		want  string
	}{
		{"healthy", diagnose.Evidence{Etcd: up}, ready.Readiness{Answers: true, Addons: []string{"coredns", "Node"}},
			"containerd+ kubelet+ etcd+ kube-apiserver+ kube-controller-manager+ kube-scheduler+ coredns+ Node+"},
		{"one pod", diagnose.Evidence{Etcd: up}, ready.Readiness{Answers: true, Addons: []string{"Node"}, Pending: map[string]error{"kube-scheduler": no}},
			"containerd+ kubelet+ etcd+ kube-apiserver+ kube-controller-manager+ kube-scheduler-(no answer) Node+"},
		{"API server down", diagnose.Evidence{Etcd: up}, ready.Readiness{Pending: map[string]error{"kube-apiserver": no, "kube-scheduler": no}},
			"containerd+ kubelet+ etcd+ kube-apiserver-(no answer) kube-controller-manager? kube-scheduler-(no answer)"},
		{"etcd says no", diagnose.Evidence{Etcd: diagnose.Server{Dial: diagnose.Open, Status: 503, Failed: []string{"read_index"}}},
			ready.Readiness{Pending: map[string]error{"kube-apiserver": no}},
			"containerd+ kubelet+ etcd-(not healthy: read_index) kube-apiserver-(no answer) kube-controller-manager? kube-scheduler?"},
		{"both down", diagnose.Evidence{RuntimeError: "refused", Etcd: diagnose.Server{Dial: diagnose.Refused}}, ready.Readiness{Pending: map[string]error{"kubelet": no, "kube-apiserver": no}},
			"containerd-(refused) kubelet-(no answer) etcd? kube-apiserver-(no answer) kube-controller-manager? kube-scheduler?"},
		{"unit down", diagnose.Evidence{RuntimeError: "x", Etcd: up, Units: map[string]machine.UnitState{"containerd.service": {Load: "loaded", Active: "failed", Result: "exit-code", ExitStatus: 2}}},
			ready.Readiness{Answers: true},
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

// TestWait: it ends when all is ready, when waiting is in vain, and in time.
func TestWait(t *testing.T) {
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
			_, err := Wait(t.Context(), c.timeout, func(context.Context) (Status, error) {
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
	catalogue := diagnose.ReadCatalogue()
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
		got := presentCause(catalogue, found)
		if got == nil || got.ID != "component-bad-flag" || got.Level != c.want {
			t.Errorf("%s: want %s, got %+v", c.name, c.want, got)
		}
	}
	if got := presentCause(catalogue, &diagnose.Evidence{Machine: diagnose.Machine{System: diagnose.System{Facts: machine.Facts{Systemd: true, CgroupVersion: 2}}}}); got != nil {
		t.Errorf("of nothing: %+v", got)
	}
}

// TestWaitInterrupted: a signal is no verdict.
func TestWaitInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Wait(ctx, time.Minute, func(context.Context) (Status, error) { return Status{Installed: true, Ready: true}, nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
