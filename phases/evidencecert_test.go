package phases

import (
	"crypto"
	"maps"
	"slices"
	"testing"
	"time"

	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/observe"
	"bootstrap/phases/pki"
	"bootstrap/phases/spec"
)

// pkiDone is an Env with all certificates and kubeconfigs, past the phases that make them.
func pkiDone(t *testing.T) *Env {
	t.Helper()
	env := certsDone(t, "default")
	runPhase(t, env, runKubeconfigs)
	return env
}

// problems are what is wrong, by path.
func problems(env *Env) map[string]pki.Reason {
	found := map[string]pki.Reason{}
	for _, c := range env.CertificateEvidence(observe.Written) {
		if c.Problem != "" {
			found[c.Path] = c.Problem
		}
	}
	return found
}

// signer is the CA of the test's cluster.
func signer(t *testing.T, env *Env) *pki.CA {
	t.Helper()
	ca, err := env.readCA()
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func newSigner(t *testing.T, validity time.Duration) *pki.CA {
	t.Helper()
	key := newKey(t)
	ca, err := pki.NewCA("kubernetes", key, validity)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := pki.NewKey("ECDSA-P256")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writeTo(t *testing.T, env *Env, path string, data []byte) {
	t.Helper()
	hosttest.Put(t, env.Host, path, string(data), 0o600)
}

// apiServerCert is signed by ca with one thing of the leaf spoilt, for the key on disk.
func apiServerCert(t *testing.T, env *Env, ca *pki.CA, spoil func(*pki.Leaf)) []byte {
	t.Helper()
	leaf := spec.Authorities(env.Config)[0].Leaves[0].Leaf
	leaf.Names = slices.Clone(leaf.Names)
	spoil(&leaf)
	_, key, err := env.pair("apiserver")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Issue(leaf, key)
	if err != nil {
		t.Fatal(err)
	}
	return pki.EncodeCert(cert)
}

// TestCertificateEvidence spoils one file at a time.
func TestCertificateEvidence(t *testing.T) {
	const apiserver = pkiDir + "/apiserver.crt"
	sameLeaf := func(*pki.Leaf) {}
	cases := []struct {
		name  string
		spoil func(t *testing.T, env *Env)
		want  map[string]pki.Reason
	}{
		{"nothing", func(*testing.T, *Env) {}, nil},
		{"missing", func(t *testing.T, env *Env) { hosttest.Remove(t, env.Host, apiserver) }, map[string]pki.Reason{apiserver: pki.Missing}},
		{"no key", func(t *testing.T, env *Env) { hosttest.Remove(t, env.Host, pkiDir+"/apiserver.key") }, map[string]pki.Reason{pkiDir + "/apiserver.key": pki.Missing}},
		{"a CA's key is empty", func(t *testing.T, env *Env) { hosttest.Put(t, env.Host, pkiDir+"/ca.key", "", 0o600) }, map[string]pki.Reason{pkiDir + "/ca.key": pki.Empty}},
		{"empty", func(t *testing.T, env *Env) { hosttest.Put(t, env.Host, apiserver, "\n", 0o600) }, map[string]pki.Reason{apiserver: pki.Empty}},
		{"damaged", func(t *testing.T, env *Env) { hosttest.Put(t, env.Host, apiserver, "-----BEGIN CERT", 0o600) }, map[string]pki.Reason{apiserver: pki.Damaged}},
		{"expired", func(t *testing.T, env *Env) {
			writeTo(t, env, apiserver, apiServerCert(t, env, signer(t, env), func(l *pki.Leaf) { l.Validity = -time.Minute }))
		}, map[string]pki.Reason{apiserver: pki.Expired}},
		{"wrong CA", func(t *testing.T, env *Env) {
			writeTo(t, env, apiserver, apiServerCert(t, env, newSigner(t, time.Hour), sameLeaf))
		}, map[string]pki.Reason{apiserver: pki.WrongCA}},
		{"wrong common name", func(t *testing.T, env *Env) {
			writeTo(t, env, apiserver, apiServerCert(t, env, signer(t, env), func(l *pki.Leaf) { l.CommonName = "x" }))
		}, map[string]pki.Reason{apiserver: pki.WrongName}},
		{"a name less", func(t *testing.T, env *Env) {
			writeTo(t, env, apiserver, apiServerCert(t, env, signer(t, env), func(l *pki.Leaf) { l.Names = l.Names[1:] }))
		}, map[string]pki.Reason{apiserver: pki.WrongName}},
		{"a name more", func(t *testing.T, env *Env) {
			writeTo(t, env, apiserver, apiServerCert(t, env, signer(t, env), func(l *pki.Leaf) { l.Names = append(l.Names, "more.example") }))
		}, nil},
		{"wrong key", func(t *testing.T, env *Env) {
			key, err := pki.EncodeKey(newKey(t))
			if err != nil {
				t.Fatal(err)
			}
			writeTo(t, env, pkiDir+"/apiserver.key", key)
		}, map[string]pki.Reason{apiserver: pki.WrongKey}},
		{"no CA key", func(t *testing.T, env *Env) { hosttest.Remove(t, env.Host, pkiDir+"/ca.key") }, map[string]pki.Reason{pkiDir + "/ca.key": pki.Missing}},
		{"another CA's key", func(t *testing.T, env *Env) {
			copyFile(t, env, pkiDir+"/etcd/ca.key", pkiDir+"/ca.key")
		}, map[string]pki.Reason{pkiDir + "/ca.crt": pki.WrongKey}},
		{"expired CA", func(t *testing.T, env *Env) {
			writeTo(t, env, pkiDir+"/front-proxy-ca.crt", pki.EncodeCert(newSigner(t, -time.Minute).Cert))
		}, map[string]pki.Reason{pkiDir + "/front-proxy-ca.crt": pki.Expired, pkiDir + "/front-proxy-client.crt": pki.WrongCA}},
		{"kubeconfig is empty", func(t *testing.T, env *Env) { hosttest.Put(t, env.Host, spec.SchedulerConf, "", 0o600) }, map[string]pki.Reason{spec.SchedulerConf: pki.Empty}},
		{"kubeconfig of another cluster", func(t *testing.T, env *Env) {
			id := spec.Identities(env.Config)[3]
			data, err := kubeconfigWriter{env, newSigner(t, time.Hour)}.issue(id)
			if err != nil {
				t.Fatal(err)
			}
			writeTo(t, env, spec.ControllerConf, data)
		}, map[string]pki.Reason{spec.ControllerConf: pki.WrongCA}},
		{"nothing to sign with", func(t *testing.T, env *Env) { hosttest.Remove(t, env.Host, pkiDir+"/ca-signing.crt") }, map[string]pki.Reason{pkiDir + "/ca-signing.crt": pki.Missing}},
		{"another CA to sign with", func(t *testing.T, env *Env) {
			writeTo(t, env, pkiDir+"/ca-signing.crt", pki.EncodeCert(newSigner(t, time.Hour).Cert))
		}, map[string]pki.Reason{pkiDir + "/ca-signing.crt": pki.WrongCA}},
		{"the CA in the kubelet's kubeconfig", withCAData(spec.KubeletConf, true), nil},
		{"another CA in the kubelet's kubeconfig", func(t *testing.T, env *Env) {
			k := readKubeconfig(t, env, spec.KubeletConf)
			k.CA, k.CAFile = pki.EncodeCert(newSigner(t, time.Hour).Cert), ""
			data, err := pki.EncodeKubeconfig(k)
			if err != nil {
				t.Fatal(err)
			}
			writeTo(t, env, spec.KubeletConf, data)
		}, map[string]pki.Reason{spec.KubeletConf: pki.WrongCA}},
		{"kubeconfig of another shape", func(t *testing.T, env *Env) { hosttest.Put(t, env.Host, spec.AdminConf, "clusters: []\n", 0o600) }, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			env := pkiDone(t)
			c.spoil(t, env)
			if got := problems(env); !maps.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestCertificateEvidenceBefore: what this run has yet to make or mend is no evidence.
func TestCertificateEvidenceBefore(t *testing.T) {
	if got := problems(testEnv(t, "default")); len(got) > 0 {
		t.Errorf("nothing was made: %v", got)
	}
	env := pkiDone(t)
	hosttest.Put(t, env.Host, spec.SchedulerConf, "", 0o600)
	if got := env.CertificateEvidence(observe.Begun); len(got) > 0 {
		t.Errorf("before it is mended: %v", got)
	}
	if got := problems(env); len(got) != 1 {
		t.Errorf("after that: %v", got)
	}
}

// TestKubeletCertificate: while the certificate that the kubelet got itself is valid, the
// one in its kubeconfig does not matter; after that it does.
func TestKubeletCertificate(t *testing.T) {
	cases := []struct {
		name           string
		embedded, own  time.Duration
		path           string
		want           pki.Reason
		damaged, alien bool
	}{
		{name: "both good", embedded: time.Hour, own: time.Hour, path: spec.RotatedCert},
		{name: "embedded expired", embedded: -time.Minute, own: time.Hour, path: spec.RotatedCert},
		{name: "own expired", embedded: time.Hour, own: -time.Minute, path: spec.KubeletConf},
		{name: "both expired", embedded: -time.Minute, own: -time.Minute, path: spec.KubeletConf, want: pki.Expired},
		{name: "own damaged", embedded: time.Hour, damaged: true, path: spec.RotatedCert, want: pki.Damaged},
		{name: "own of another CA", embedded: time.Hour, own: time.Hour, alien: true, path: spec.RotatedCert, want: pki.WrongCA},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			env := pkiDone(t)
			id := spec.Identities(env.Config)[2]
			id.Validity = c.embedded
			data, err := kubeconfigWriter{env, signer(t, env)}.issue(id)
			if err != nil {
				t.Fatal(err)
			}
			writeTo(t, env, spec.KubeletConf, data)
			id.Validity = c.own
			ca := signer(t, env)
			if c.alien {
				ca = newSigner(t, time.Hour)
			}
			own := ownPEM(t, ca, id.Leaf)
			if c.damaged {
				own = own[:40]
			}
			writeTo(t, env, spec.RotatedCert, own)
			for _, found := range env.CertificateEvidence(observe.Written) {
				if found.Use == "kubelet" && (found.Path != c.path || found.Problem != c.want) {
					t.Errorf("got %+v", found)
				}
			}
		})
	}
}

// ownPEM is a certificate and its key in one file, as the kubelet keeps them.
func ownPEM(t *testing.T, ca *pki.CA, leaf pki.Leaf) []byte {
	t.Helper()
	key := newKey(t)
	cert, err := ca.Issue(leaf, key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := pki.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return append(pki.EncodeCert(cert), data...)
}
