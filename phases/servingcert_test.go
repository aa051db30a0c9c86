package phases

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/pki"
	"bootstrap/phases/spec"
)

// TestServingCert: the kubelet is given a certificate that the cluster's CA vouches for,
// and keeps it.
func TestServingCert(t *testing.T) {
	env := testEnv(t, "default")
	if err := env.ensureServingCert(); err == nil {
		t.Error("without a CA, no error")
	}
	if err := runCerts(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	if err := env.ensureServingCert(); err != nil {
		t.Fatal(err)
	}
	made := servingFiles(t, env)
	cert, err := pki.ParseCert([]byte(made[0]))
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.ParseKey([]byte(made[1]))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := env.readCA()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{env.Config.NodeName, env.Config.AdvertiseAddress.String()}
	if err := ca.Check(pki.Leaf{CommonName: env.Config.NodeName, Names: names, Server: true}, cert, key); err != nil {
		t.Error(err)
	}
	if mode, err := env.Host.Mode(spec.ServingCert + ".key"); err != nil || mode != 0o600 {
		t.Errorf("key: mode %o, %v", mode, err)
	}
	if err := env.ensureServingCert(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made, servingFiles(t, env)); diff != "" {
		t.Errorf("made again:\n%s", diff)
	}
	expired, err := ca.Issue(pki.Leaf{CommonName: env.Config.NodeName, Names: names, Server: true, Validity: -time.Minute}, key)
	if err != nil {
		t.Fatal(err)
	}
	hosttest.Put(t, env.Host, spec.ServingCert+".crt", string(pki.EncodeCert(expired)), 0o644)
	if err := env.ensureServingCert(); err != nil {
		t.Fatal(err)
	}
	cert, err = pki.ParseCert([]byte(servingFiles(t, env)[0]))
	if err != nil || pki.CheckTime(cert) != nil {
		t.Errorf("it is not signed again: %v, %v", err, pki.CheckTime(cert))
	}
	theirs := servingFiles(t, certsWithServing(t))
	hosttest.Put(t, env.Host, spec.ServingCert+".crt", theirs[0], 0o644)
	hosttest.Put(t, env.Host, spec.ServingCert+".key", theirs[1], 0o600)
	if err := env.ensureServingCert(); err != nil || cmp.Diff(theirs, servingFiles(t, env)) != "" {
		t.Errorf("somebody else's does not stay: %v", err)
	}
}

func certsWithServing(t *testing.T) *Env {
	t.Helper()
	env := certsDone(t, "default")
	if err := env.ensureServingCert(); err != nil {
		t.Fatal(err)
	}
	return env
}

func servingFiles(t *testing.T, env *Env) []string {
	t.Helper()
	var files []string
	for _, suffix := range []string{".crt", ".key"} {
		data, err := env.Host.ReadFile(spec.ServingCert + suffix)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, string(data))
	}
	return files
}
