package support

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/spec"
)

// TestSecretsOfVolumes: what Kubernetes writes beside a token is no secret, or its words
// would be taken out everywhere.
func TestSecretsOfVolumes(t *testing.T) {
	c := testCollector(t, "default")
	const volume = spec.KubeletDir + "/pods/1/volumes/kubernetes.io~secret/v/..2026_11_25/"
	hosttest.Put(t, c.Host, volume+"namespace", "kube-system", 0o600)
	hosttest.Put(t, c.Host, volume+"username", "operator", 0o600)
	hosttest.Put(t, c.Host, volume+"where", "kube-system\n", 0o600)
	const key = "-----BEGIN PRIVATE KEY-----\nBBBB\n-----END PRIVATE KEY-----\n"
	hosttest.Put(t, c.Host, volume+"tls.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"+key, 0o600)
	hosttest.Put(t, c.Host, volume+"password", "tr0ub4dor-and-more", 0o600)
	hosttest.Put(t, c.Host, volume+"alertmanager.yaml", "apiVersion: monitoring.example/v1\nmetadata:\n  name: alerts\nsmtp_auth_password: hunter-two\nhook: x9fK2vQx7Lp\n", 0o600)
	hosttest.Put(t, c.Host, volume+"users", "bob:$apr1$x\nalice:$apr1$y\n", 0o600)
	got := c.machineSecrets()
	for _, want := range []string{"hunter-two", "x9fK2vQx7Lp", "bob:$apr1$x\nalice:$apr1$y\n"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not known", want)
		}
	}
	if slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "metadata") || strings.Contains(s, "monitoring") }) {
		t.Errorf("words of a configuration: %q", got)
	}
	if !slices.Contains(got, key) || slices.Contains(got, "kube-system\n") {
		t.Errorf("a key beside a certificate, or a namespace: %q", got)
	}
	if !slices.Contains(got, "tr0ub4dor-and-more") || slices.Contains(got, "kube-system") || slices.Contains(got, "operator") {
		t.Errorf("%q", got)
	}
}

// TestGivenSecrets: of a config file that was not accepted, what redact has no form for.
func TestGivenSecrets(t *testing.T) {
	got, ok := givenSecrets([]byte("kind: InitConfiguration\n---\nkind: KubeletConfiguration\nstaticPodURL: https://pods.example/?key=s3cretkey\nstaticPodURLHeader: {X-Key: [an0thersecret]}\n"))
	if !ok || !slices.Contains(got, "an0thersecret") || !slices.Contains(got, "s3cretkey") {
		t.Errorf("%q, %t", got, ok)
	}
	for _, file := range []string{"a: [", "a: b\n---\n\tc: d\n"} {
		if _, ok := givenSecrets([]byte(file)); ok {
			t.Errorf("%q can be read", file)
		}
	}
	if _, ok := givenSecrets(nil); ok {
		t.Error("there is none")
	}
}

// TestPodURLSecrets: all of a header's values are known to be secret, also those of a
// configuration that was replaced.
func TestPodURLSecrets(t *testing.T) {
	c := testCollector(t, "standalone")
	hosttest.Put(t, c.Host, spec.KubeletConfig, "staticPodURL: https://x/?now=url-key-now\nstaticPodURLHeader: {Authorization: [Bearer header-now]}\n", 0o600)
	hosttest.Put(t, c.Host, "/var/lib/bootstrap/saved/7", "staticPodURLHeader: {X: [header-before]}\n", 0o600)
	known, err := json.Marshal(c.machineSecrets())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{`"header-now"`, `"now=url-key-now"`, `"header-before"`, `"not-a-real-token"`} {
		if !strings.Contains(string(known), secret) {
			t.Errorf("%s is not known", secret)
		}
	}
}
