package phases

import (
	"testing"

	"bootstrap/phases/spec"
)

// TestManifestUID wants what the kubelet takes for the hash: the UID in the file.
func TestManifestUID(t *testing.T) {
	env := testEnv(t, "default")
	if _, err := env.ManifestUID("etcd"); err == nil {
		t.Error("no manifest, no error")
	}
	runPhase(t, env, runEtcd)
	runPhase(t, env, runControlPlane)
	manifests := files(t, env, spec.StaticPodDir)
	for name, manifest := range manifests {
		pod, err := spec.DecodePod([]byte(manifest.content))
		if err != nil {
			t.Fatal(err)
		}
		uid, err := env.ManifestUID(pod.Name)
		if err != nil || name != pod.Name+".yaml" || uid != string(pod.UID) {
			t.Errorf("%s: hash %q, UID %q, %v", name, uid, pod.UID, err)
		}
		if manifest.mode != 0o600 {
			t.Errorf("%s has mode %s", name, manifest.mode)
		}
	}
	if len(manifests) != 4 {
		t.Errorf("%d manifests, want 4", len(manifests))
	}
}
