package support

import (
	"encoding/json"
	"strings"
	"testing"

	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/spec"
)

// TestPodURLSecrets: all of a header's values are known to be secret, also those of a
// configuration that was replaced.
func TestPodURLSecrets(t *testing.T) {
	env := testEnv(t, "standalone")
	hosttest.Put(t, env.Host, spec.KubeletConfig, "staticPodURL: https://x/?now=url-key-now\nstaticPodURLHeader: {Authorization: [Bearer header-now]}\n", 0o600)
	hosttest.Put(t, env.Host, "/var/lib/bootstrap/saved/7", "staticPodURLHeader: {X: [header-before]}\n", 0o600)
	known, err := json.Marshal(env.machineSecrets(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{`"header-now"`, `"now=url-key-now"`, `"header-before"`, `"not-a-real-token"`} {
		if !strings.Contains(string(known), secret) {
			t.Errorf("%s is not known", secret)
		}
	}
}
