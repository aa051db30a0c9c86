package phases

import (
	"slices"
	"testing"
	"time"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/observe"
	"bootstrap/phases/spec"
	"bootstrap/phases/status"
)

// TestStatusBeforeEtcd: what is there without a control plane is said to be so.
func TestStatusBeforeEtcd(t *testing.T) {
	env := testEnv(t, "default")
	s, err := status.Current(t.Context(), env.Observe(), time.Time{})
	if err != nil || s.Installed || s.Ready {
		t.Errorf("nothing was made: %+v, %v", s, err)
	}
	runPhase(t, env, runCerts)
	s, err = status.Current(t.Context(), env.Observe(), time.Time{})
	if err != nil || !s.Installed || s.Ready || s.Since == "" || len(s.Components) > 0 || len(s.Notes) != 1 {
		t.Errorf("only certificates were made: %+v, %v", s, err)
	}
}

// TestManifestEvidence: all that the kubelet reads, and of ours only what this run has
// written already.
func TestManifestEvidence(t *testing.T) {
	env := testEnv(t, "default")
	runPhase(t, env, runEtcd)
	hosttest.Put(t, env.Host, spec.StaticPodDir+"/etcd.yaml.bak", "x: [", 0o600)
	hosttest.Put(t, env.Host, spec.StaticPodDir+"/.etcd.yaml.swp", "x", 0o600)
	got := env.Observe().ManifestEvidence(observe.Written)
	if len(got) != 2 || !got[0].Ours || got[0].Name != "kube-system/etcd" || got[1].Ours || got[1].Error == "" {
		t.Errorf("got %+v", got)
	}
	if got := env.Observe().ManifestEvidence(observe.Begun); len(got) != 1 || got[0].Ours {
		t.Errorf("before they are written: %+v", got)
	}
	if got := env.Observe().ManifestEvidence(observe.Serving); len(got) != 2 {
		t.Errorf("after that: %+v", got)
	}
	hosttest.Remove(t, env.Host, spec.ManifestFile("etcd"))
	want := []diagnose.File{{Path: spec.ManifestFile("etcd"), Drift: "gone"}}
	if got := env.Observe().FileEvidence(t.Context(), observe.Written); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := env.Observe().FileEvidence(t.Context(), observe.Serving); len(got) > 0 {
		t.Errorf("before they are written: %+v", got)
	}
}
