package phases

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config/configtest"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/pki"
	"bootstrap/phases/plan/plantest"
	"bootstrap/phases/spec"
)

const pkiDir = "/etc/kubernetes/pki"

// certsDone is an Env after its first certs phase.
func certsDone(t *testing.T, name string) *Env {
	t.Helper()
	env := testEnv(t, name)
	runPhase(t, env, runCerts)
	return env
}

func readCert(t *testing.T, env *Env, path string) *x509.Certificate {
	t.Helper()
	data, err := env.Host.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := pki.ParseCert(data)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// TestCertsFiles wants exactly the files of kubeadm, with kubeadm's modes, and the
// certificate to sign with.
func TestCertsFiles(t *testing.T) {
	want := map[string]fs.FileMode{"sa.key": 0o600, "sa.pub": 0o600, "ca-signing.crt": 0o644}
	for _, name := range []string{
		"ca", "apiserver", "apiserver-kubelet-client", "front-proxy-ca", "front-proxy-client",
		"etcd/ca", "etcd/server", "etcd/peer", "etcd/healthcheck-client", "apiserver-etcd-client",
	} {
		want[name+".crt"], want[name+".key"] = 0o644, 0o600
	}
	for name, dir := range map[string]string{"default": pkiDir, "rsa-dirs": "/srv/k8s/pki"} {
		got := map[string]fs.FileMode{}
		for file, state := range files(t, certsDone(t, name), dir) {
			got[file] = state.mode
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestCertificates holds kubeadm's table (reference/kubeadm.md §2.4), and the names added.
func TestCertificates(t *testing.T) {
	const year, decade = 365 * 24 * time.Hour, 10 * 365 * 24 * time.Hour
	server, client := x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth
	member := []string{"node-1", "localhost", "192.0.2.10", "127.0.0.1", "::1"}
	table := []struct {
		file, commonName, signer string
		usage                    []x509.ExtKeyUsage
		names                    []string
		validity                 time.Duration
	}{
		{"ca", "kubernetes", "ca", nil, []string{"kubernetes"}, decade},
		{"front-proxy-ca", "front-proxy-ca", "front-proxy-ca", nil, []string{"front-proxy-ca"}, decade},
		{"etcd/ca", "etcd-ca", "etcd/ca", nil, []string{"etcd-ca"}, decade},
		{"apiserver", "kube-apiserver", "ca", []x509.ExtKeyUsage{server}, []string{
			"node-1", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
			"localhost", "10.96.0.1", "192.0.2.10", "127.0.0.1", "::1",
		}, year},
		{"apiserver-kubelet-client", "kube-apiserver-kubelet-client", "ca", []x509.ExtKeyUsage{client}, nil, year},
		{"front-proxy-client", "front-proxy-client", "front-proxy-ca", []x509.ExtKeyUsage{client}, nil, year},
		{"etcd/server", "node-1", "etcd/ca", []x509.ExtKeyUsage{server, client}, member, year},
		{"etcd/peer", "node-1", "etcd/ca", []x509.ExtKeyUsage{server, client}, member, year},
		{"etcd/healthcheck-client", "kube-etcd-healthcheck-client", "etcd/ca", []x509.ExtKeyUsage{client}, nil, year},
		{"apiserver-etcd-client", "kube-apiserver-etcd-client", "etcd/ca", []x509.ExtKeyUsage{client}, nil, year},
	}
	env := certsDone(t, "default")
	for _, row := range table {
		t.Run(row.file, func(t *testing.T) {
			cert := readCert(t, env, pkiDir+"/"+row.file+".crt")
			signer := readCert(t, env, pkiDir+"/"+row.signer+".crt")
			if err := cert.CheckSignatureFrom(signer); err != nil {
				t.Errorf("signed by %s: %v", row.signer, err)
			}
			if cert.Subject.String() != "CN="+row.commonName {
				t.Errorf("subject %s, want CN=%s and no organization", cert.Subject, row.commonName)
			}
			if cert.IsCA != (row.usage == nil) || !slices.Equal(cert.ExtKeyUsage, row.usage) {
				t.Errorf("CA %v, usage %v, want %v", cert.IsCA, cert.ExtKeyUsage, row.usage)
			}
			if diff := cmp.Diff(row.names, sansOf(cert)); diff != "" {
				t.Errorf("SANs (-want +got):\n%s", diff)
			}
			// A leaf that is signed later than its CA loses nothing: it ends long before.
			if got := cert.NotAfter.Sub(cert.NotBefore).Round(time.Minute); got != row.validity+5*time.Minute {
				t.Errorf("valid for %s, want %s and 5m0s before", got, row.validity)
			}
			if cert.PublicKeyAlgorithm != x509.ECDSA {
				t.Errorf("key is %s", cert.PublicKeyAlgorithm)
			}
		})
	}
}

func sansOf(cert *x509.Certificate) []string {
	names := cert.DNSNames
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

func TestConfiguredNames(t *testing.T) {
	cases := []struct {
		config, file string
		want         []string
	}{
		{"sans", "apiserver", []string{"api.example.org", "*.example.org", "203.0.113.9", "2001:db8::9"}},
		{"sans", "etcd/server", []string{"etcd.example.org"}},
		{"sans", "etcd/peer", []string{"10.0.0.9"}},
		{"custom", "apiserver", []string{"cp-1.example.org", "api.example.org", "172.20.0.1", "198.51.100.7", "kubernetes.default.svc.k8s.example.org"}},
		{"ipv6", "apiserver", []string{"2001:db8::10", "fd00:10:96::1"}},
		{"endpoint-ipv6", "apiserver", []string{"2001:db8::1"}},
	}
	for _, c := range cases {
		t.Run(c.config+"/"+c.file, func(t *testing.T) {
			got := sansOf(readCert(t, certsDone(t, c.config), pkiDir+"/"+c.file+".crt"))
			for _, want := range c.want {
				if !slices.Contains(got, want) {
					t.Errorf("%q is not among %v", want, got)
				}
			}
		})
	}
}

func TestConfiguredKeysAndLifetimes(t *testing.T) {
	env := certsDone(t, "rsa-dirs")
	for file := range files(t, env, "/srv/k8s/pki") {
		if strings.HasSuffix(file, ".crt") && readCert(t, env, "/srv/k8s/pki/"+file).PublicKeyAlgorithm != x509.RSA {
			t.Errorf("%s is not for an RSA key", file)
		}
	}
	env = certsDone(t, "lifetimes")
	ca, leaf := readCert(t, env, pkiDir+"/ca.crt"), readCert(t, env, pkiDir+"/apiserver.crt")
	if got := ca.NotAfter.Sub(ca.NotBefore); got != time.Hour+5*time.Minute {
		t.Errorf("the CA is valid for %s", got)
	}
	if leaf.NotAfter.After(ca.NotAfter) {
		t.Errorf("the leaf ends at %s, its CA at %s", leaf.NotAfter, ca.NotAfter)
	}
}

func TestCertsAgainChangesNothing(t *testing.T) {
	env := certsDone(t, "default")
	before := files(t, env, pkiDir)
	if notes := runPhase(t, env, runCerts); len(notes) > 0 {
		t.Errorf("it has something to say: %q", notes)
	}
	if names := changed(before, files(t, env, pkiDir)); len(names) > 0 {
		t.Errorf("it changed %v", names)
	}
}

// TestCertsMends breaks one thing and wants just these files made again.
func TestCertsMends(t *testing.T) {
	cases := []struct {
		name    string
		spoil   func(*testing.T, *Env)
		changed []string
		note    string
	}{
		{"a leaf is gone", func(t *testing.T, e *Env) {
			hosttest.Remove(t, e.Host, pkiDir+"/apiserver.crt")
			hosttest.Remove(t, e.Host, pkiDir+"/apiserver.key")
		}, []string{"apiserver.crt", "apiserver.key"}, ""},
		{"a leaf's key is alone", func(t *testing.T, e *Env) { hosttest.Remove(t, e.Host, pkiDir+"/etcd/peer.crt") }, []string{"etcd/peer.crt"}, ""},
		{"a leaf's certificate is alone", func(t *testing.T, e *Env) { hosttest.Remove(t, e.Host, pkiDir+"/etcd/peer.key") },
			[]string{"etcd/peer.crt", "etcd/peer.key"}, ""},
		{"a CA's key is alone", func(t *testing.T, e *Env) { hosttest.Remove(t, e.Host, pkiDir+"/front-proxy-ca.crt") }, []string{"front-proxy-ca.crt"}, ""},
		{"sa.pub is gone", func(t *testing.T, e *Env) { hosttest.Remove(t, e.Host, pkiDir+"/sa.pub") }, nil, ""},
		{"sa.pub is damaged", func(t *testing.T, e *Env) { hosttest.Put(t, e.Host, pkiDir+"/sa.pub", "hello", 0o600) }, nil, ""},
		{"a name is added", func(t *testing.T, e *Env) { e.Config.CertSANs = []string{"new.example.org"} },
			[]string{"apiserver.crt"}, "apiserver.crt is signed again: its names differ"},
		{"the node is renamed", func(t *testing.T, e *Env) { e.Config.NodeName = "node-2" },
			[]string{"apiserver.crt", "etcd/server.crt", "etcd/peer.crt"}, `its common name is "node-1", want "node-2"`},
		{"a leaf has expired", expire, []string{"front-proxy-client.crt"}, "front-proxy-client.crt is signed again: it expired at "},
		{"a leaf of another CA", strange, []string{"apiserver-kubelet-client.crt"}, "it is not signed by this cluster's kubernetes"},
		{"a key is open to all", func(t *testing.T, e *Env) { chmod(t, e, pkiDir+"/ca.key", 0o644) }, nil, "ca.key was open to others (mode 0644): closed"},
		{"sa.key is open to a group", func(t *testing.T, e *Env) { chmod(t, e, pkiDir+"/sa.key", 0o640) }, nil, "sa.key was open to others (mode 0640): closed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			env := certsDone(t, "default")
			before := files(t, env, pkiDir)
			c.spoil(t, env)
			notes := strings.Join(runPhase(t, env, runCerts), "\n")
			if !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
				t.Errorf("it says %q, want %q", notes, c.note)
			}
			want := map[string]bool{}
			for _, file := range c.changed {
				want[file] = true
			}
			after := files(t, env, pkiDir)
			// sa.pub follows from sa.key: made again, it is the same.
			if diff := cmp.Diff(want, contentChanged(before, after)); diff != "" {
				t.Errorf("changed (-want +got):\n%s", diff)
			}
			for file, state := range after {
				if state.mode != before[file].mode {
					t.Errorf("%s has mode %s, want %s", file, state.mode, before[file].mode)
				}
			}
			checkPairs(t, env)
			if notes := runPhase(t, env, runCerts); len(notes) > 0 {
				t.Errorf("once more, it still says %q", notes)
			}
		})
	}
}

func contentChanged(before, after map[string]fileState) map[string]bool {
	names := changed(before, after)
	maps.DeleteFunc(names, func(name string, _ bool) bool { return before[name].content == after[name].content })
	return names
}

// checkPairs wants every certificate to be of the key beside it.
func checkPairs(t *testing.T, env *Env) {
	t.Helper()
	for _, a := range spec.Authorities(env.Config) {
		for _, file := range append([]string{a.File}, leafFiles(a)...) {
			cert, key, err := env.pair(file)
			if err != nil || cert == nil || key == nil || !pki.SameKey(cert, key) {
				t.Errorf("%s: certificate and key do not fit, %v", file, err)
			}
		}
	}
}

func leafFiles(a spec.Authority) []string {
	var names []string
	for _, l := range a.Leaves {
		names = append(names, l.File)
	}
	return names
}

func chmod(t *testing.T, env *Env, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(env.Host.Path(path), mode); err != nil {
		t.Fatal(err)
	}
}

// expire puts a certificate for the same key in place, of before now.
func expire(t *testing.T, env *Env) {
	ca := readCA(t, env, "front-proxy-ca")
	_, key, err := env.pair("front-proxy-client")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Issue(pki.Leaf{CommonName: "front-proxy-client", Client: true, Validity: -time.Minute}, key)
	if err != nil {
		t.Fatal(err)
	}
	hosttest.Put(t, env.Host, pkiDir+"/front-proxy-client.crt", string(pki.EncodeCert(cert)), 0o644)
}

// strange puts a certificate for the same key in place, of another cluster.
func strange(t *testing.T, env *Env) {
	_, key, err := env.pair("apiserver-kubelet-client")
	if err != nil {
		t.Fatal(err)
	}
	other := readCA(t, certsDone(t, "default"), "ca")
	cert, err := other.Issue(pki.Leaf{CommonName: "kube-apiserver-kubelet-client", Client: true, Validity: time.Hour}, key)
	if err != nil {
		t.Fatal(err)
	}
	hosttest.Put(t, env.Host, pkiDir+"/apiserver-kubelet-client.crt", string(pki.EncodeCert(cert)), 0o644)
}

func readCA(t *testing.T, env *Env, file string) *pki.CA {
	t.Helper()
	cert, key, err := env.pair(file)
	if err != nil {
		t.Fatal(err)
	}
	return &pki.CA{Cert: cert, Key: key}
}

// TestCertsRefuses wants an error that names the file, and nothing overwritten.
func TestCertsRefuses(t *testing.T) {
	restore := "move it away to have a new one made: mv " + pkiDir
	cases := []struct {
		name  string
		spoil func(*testing.T, *Env)
		want  []string
	}{
		{"a CA's key is damaged", func(t *testing.T, e *Env) { hosttest.Put(t, e.Host, pkiDir+"/ca.key", "hello", 0o600) },
			[]string{pkiDir + "/ca.key: no PEM block with a readable private key in it", restore + "/ca.key " + pkiDir + "/ca.key.old"}},
		{"a CA's certificate is empty", func(t *testing.T, e *Env) { hosttest.Put(t, e.Host, pkiDir+"/etcd/ca.crt", "", 0o644) },
			[]string{pkiDir + "/etcd/ca.crt: no PEM certificate in it", restore + "/etcd/ca.crt"}},
		{"a leaf's key is damaged", func(t *testing.T, e *Env) { hosttest.Put(t, e.Host, pkiDir+"/apiserver.key", "-----BEGIN", 0o600) },
			[]string{pkiDir + "/apiserver.key: no PEM block with a readable private key in it", restore + "/apiserver.key"}},
		{"sa.key is damaged", func(t *testing.T, e *Env) { hosttest.Put(t, e.Host, pkiDir+"/sa.key", "x", 0o600) },
			[]string{pkiDir + "/sa.key: no PEM block with a readable private key in it", restore + "/sa.key"}},
		{"a CA's certificate is alone", func(t *testing.T, e *Env) { hosttest.Remove(t, e.Host, pkiDir+"/ca.key") },
			[]string{pkiDir + "/ca.crt has no key beside it: signing by an external CA is not supported yet"}},
		{"a CA's key is another's", func(t *testing.T, e *Env) { copyFile(t, e, pkiDir+"/etcd/ca.key", pkiDir+"/ca.key") },
			[]string{pkiDir + "/ca.crt: the key beside it does not belong to it"}},
		{"a CA is none", func(t *testing.T, e *Env) {
			copyFile(t, e, pkiDir+"/apiserver.crt", pkiDir+"/ca.crt")
			copyFile(t, e, pkiDir+"/apiserver.key", pkiDir+"/ca.key")
		}, []string{pkiDir + "/ca.crt: it is no CA certificate"}},
		{"a CA has expired", func(t *testing.T, e *Env) {
			_, key, err := e.pair("ca")
			if err != nil {
				t.Fatal(err)
			}
			ca, err := pki.NewCA("kubernetes", key, -time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			hosttest.Put(t, e.Host, pkiDir+"/ca.crt", string(pki.EncodeCert(ca.Cert)), 0o644)
		}, []string{pkiDir + "/ca.crt: it expired at "}},
		{"a directory is in the way", func(t *testing.T, e *Env) {
			hosttest.Remove(t, e.Host, pkiDir+"/ca.key")
			if err := os.Mkdir(e.Host.Path(pkiDir+"/ca.key"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, []string{pkiDir + "/ca.key"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			env := certsDone(t, "default")
			c.spoil(t, env)
			before := files(t, env, pkiDir)
			failPhase(t, env, runCerts, c.want...)
			if names := changed(before, files(t, env, pkiDir)); len(names) > 0 {
				t.Errorf("it changed %v", names)
			}
		})
	}
}

func copyFile(t *testing.T, env *Env, from, to string) {
	t.Helper()
	data, err := env.Host.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	hosttest.Put(t, env.Host, to, string(data), 0o600)
}

// TestCertsKeepForeignCA wants leaves of a CA that somebody brought, which stays as it is.
func TestCertsKeepForeignCA(t *testing.T) {
	env := testEnv(t, "default")
	key, err := pki.NewKey("RSA-2048")
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.NewCA("My Company", key, 48*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM, err := pki.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	hosttest.Put(t, env.Host, pkiDir+"/ca.crt", string(pki.EncodeCert(ca.Cert)), 0o644)
	hosttest.Put(t, env.Host, pkiDir+"/ca.key", string(keyPEM), 0o600)
	before := files(t, env, pkiDir)
	runPhase(t, env, runCerts)
	after := files(t, env, pkiDir)
	for _, file := range []string{"ca.crt", "ca.key"} {
		if before[file] != after[file] {
			t.Errorf("%s was changed", file)
		}
	}
	leaf := readCert(t, env, pkiDir+"/apiserver.crt")
	if err := leaf.CheckSignatureFrom(ca.Cert); err != nil || leaf.NotAfter.After(ca.Cert.NotAfter) {
		t.Errorf("the API server's certificate, until %s, is not of that CA: %v", leaf.NotAfter, err)
	}
}

func TestServerNamesAreNotTwice(t *testing.T) {
	c := configtest.Valid(t, "default")
	c.CertSANs = []string{"localhost", "127.0.0.1", "node-1"}
	c.ControlPlaneEndpoint = "node-1:6443"
	env := testEnv(t, "default")
	env.Config = c
	runPhase(t, env, runCerts)
	names := sansOf(readCert(t, env, pkiDir+"/apiserver.crt"))
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			t.Errorf("%s is there twice: %v", name, names)
		}
		seen[name] = true
	}
}

// TestKeysOpenBefore: a key that others could read before bootstrap came is refused,
// with the fix, and stays as it is; whether it is a CA's, a leaf's or in a kubeconfig.
func TestKeysOpenBefore(t *testing.T) {
	made := kubeconfigsDone(t, "default")
	for _, file := range []string{pkiDir + "/ca.key", pkiDir + "/etcd/peer.key", pkiDir + "/sa.key", spec.AdminConf} {
		for _, mode := range []fs.FileMode{0o644, 0o640, 0o604, 0o620} {
			env := testEnv(t, "default")
			for _, pair := range []string{"ca", "etcd/ca", "etcd/peer"} {
				for _, suffix := range []string{".crt", ".key"} {
					copyFrom(t, made, env, pkiDir+"/"+pair+suffix)
				}
			}
			copyFrom(t, made, env, pkiDir+"/sa.key")
			copyFrom(t, made, env, spec.AdminConf)
			chmod(t, env, file, mode)
			before := files(t, env, spec.KubernetesDir)[strings.TrimPrefix(file, spec.KubernetesDir+"/")]
			err := runCerts(t.Context(), env)
			if err == nil {
				err = runKubeconfigs(t.Context(), env)
			}
			plantest.CheckError(t, err, fmt.Sprintf("%s holds a key, and others may read it (mode %04o)", file, mode), "if nobody has: chmod 600 "+file)
			if after := files(t, env, spec.KubernetesDir)[strings.TrimPrefix(file, spec.KubernetesDir+"/")]; after != before {
				t.Errorf("%s was changed", file)
			}
			chmod(t, env, file, 0o600)
			if err := errors.Join(runCerts(t.Context(), env), runKubeconfigs(t.Context(), env)); err != nil {
				t.Errorf("with the fix: %v", err)
			}
		}
	}
}

func copyFrom(t *testing.T, from, to *Env, file string) {
	t.Helper()
	data, err := from.Host.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	hosttest.Put(t, to.Host, file, string(data), 0o600)
}

// TestKeyOfAnotherUser: a key that somebody brought along and root alone may read as root
// may, without the capabilities that pods don't have.
func TestKeyOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT RUN: chown needs root")
	}
	env := certsDone(t, "default")
	key := pkiDir + "/ca.key"
	if err := os.Chown(env.Host.Path(key), 1234, 0); err != nil {
		t.Fatal(err)
	}
	failPhase(t, env, runCerts, key+" belongs to user 1234", "chown root: "+key)
	if err := errors.Join(os.Chown(env.Host.Path(key), 0, 0), os.Chown(env.Host.Path(pkiDir+"/etcd/ca.key"), 1234, 0)); err != nil {
		t.Fatal(err)
	}
	runPhase(t, env, runCerts) // no pod reads that one
}

// TestKeysOfALivingCluster: once pods rely on them, a new CA is no mend, and a new key of tokens no silent one.
func TestKeysOfALivingCluster(t *testing.T) {
	env := certsDone(t, "default")
	if err := env.Host.Remember(env.State().MemberNote(), "begun"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sa.key", "sa.pub", "front-proxy-ca.crt", "front-proxy-ca.key"} {
		hosttest.Remove(t, env.Host, pkiDir+"/"+name)
	}
	if notes := strings.Join(runPhase(t, env, runCerts), "\n"); !strings.Contains(notes, "sa.key is gone, and made anew") || strings.Contains(notes, "ca.crt is") {
		t.Errorf("it says %q", notes)
	}
	for _, name := range []string{"ca.crt", "ca.key"} {
		hosttest.Remove(t, env.Host, pkiDir+"/"+name)
	}
	failPhase(t, env, runCerts, "ca.crt and its key are gone", "from a backup")

	alone := certsDone(t, "default")
	if err := alone.Host.Remember(alone.State().MemberNote(), "begun"); err != nil {
		t.Fatal(err)
	}
	hosttest.Remove(t, alone.Host, pkiDir+"/ca.key")
	failPhase(t, alone, runCerts, "ca.crt has no key beside it", "put "+pkiDir+"/ca.key back there")
}
