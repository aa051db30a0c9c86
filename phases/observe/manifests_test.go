package observe

import (
	"slices"
	"testing"

	"bootstrap/phases/config/configtest"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/machine"
	"bootstrap/phases/spec"
)

// TestManifestEvidence: all that the kubelet reads, and of ours only what this run has
// written already.
func TestManifestEvidence(t *testing.T) {
	o := testObserver(t, "default")
	const etcd = "apiVersion: v1\nkind: Pod\nmetadata: {name: etcd, namespace: kube-system}\nspec: {containers: [{name: etcd}]}\n"
	if _, err := o.Host.WriteFile(spec.ManifestFile("etcd"), []byte(etcd), 0o600); err != nil {
		t.Fatal(err)
	}
	hosttest.Put(t, o.Host, spec.StaticPodDir+"/etcd.yaml.bak", "x: [", 0o600)
	hosttest.Put(t, o.Host, spec.StaticPodDir+"/.etcd.yaml.swp", "x", 0o600)
	got := manifestEvidence(o.Host, Written)
	if len(got) != 2 || !got[0].Ours || got[0].Name != "kube-system/etcd" || got[1].Ours || got[1].Error == "" {
		t.Errorf("got %+v", got)
	}
	if got := manifestEvidence(o.Host, Begun); len(got) != 1 || got[0].Ours {
		t.Errorf("before they are written: %+v", got)
	}
	if got := manifestEvidence(o.Host, Serving); len(got) != 2 {
		t.Errorf("after that: %+v", got)
	}
	hosttest.Remove(t, o.Host, spec.ManifestFile("etcd"))
	want := []machine.Drift{{Path: spec.ManifestFile("etcd"), What: "gone"}}
	o.Config = configtest.Valid(t, "standalone") // so that nobody is asked
	files := func(stage Stage) []machine.Drift {
		found := &diagnose.Evidence{}
		new(Looks).gather(t.Context(), &found.Machine, o.evidenceParts(found, stage))
		return found.Files
	}
	if got := files(Written); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := files(Serving); len(got) > 0 {
		t.Errorf("before they are written: %+v", got)
	}
}
