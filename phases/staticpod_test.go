package phases

import (
	"testing"

	"bootstrap/phases/spec"
)

// TestManifestHashes wants what the kubelet takes for the hash: the UID in the file.
func TestManifestHashes(t *testing.T) {
	env := testEnv(t, "default")
	if _, err := env.ManifestHashes(); err == nil {
		t.Error("no manifest, no error")
	}
	runPhase(t, env, runEtcd)
	runPhase(t, env, runControlPlane)
	hashes, err := env.ManifestHashes()
	if err != nil {
		t.Fatal(err)
	}
	for name, manifest := range files(t, env, spec.StaticPodDir) {
		pod, err := spec.DecodePod([]byte(manifest.content))
		if err != nil {
			t.Fatal(err)
		}
		if name != pod.Name+".yaml" || hashes[pod.Name] != string(pod.UID) {
			t.Errorf("%s: hash %q, UID %q", name, hashes[pod.Name], pod.UID)
		}
		if manifest.mode != 0o600 {
			t.Errorf("%s has mode %s", name, manifest.mode)
		}
	}
	if len(hashes) != 4 {
		t.Errorf("%d hashes, want 4", len(hashes))
	}
}
