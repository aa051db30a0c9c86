package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := NewKey("ECDSA-P256")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newCA(t testing.TB, validity time.Duration) *CA {
	t.Helper()
	ca, err := NewCA("kubernetes", newKey(t), validity)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func issue(t testing.TB, ca *CA, leaf Leaf, key crypto.Signer) *x509.Certificate {
	t.Helper()
	cert, err := ca.Issue(leaf, key)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestKeyRoundTrip(t *testing.T) {
	size := func(key crypto.Signer) any {
		switch k := key.(type) {
		case *ecdsa.PrivateKey:
			return k.Curve
		case *rsa.PrivateKey:
			return k.N.BitLen()
		}
		return nil
	}
	cases := []struct {
		algorithm string
		size      any
		block     string
	}{
		{"ECDSA-P256", elliptic.P256(), "EC PRIVATE KEY"},
		{"ECDSA-P384", elliptic.P384(), "EC PRIVATE KEY"},
		{"RSA-2048", 2048, "RSA PRIVATE KEY"},
		{"RSA-3072", 3072, "RSA PRIVATE KEY"},
		{"RSA-4096", 4096, "RSA PRIVATE KEY"},
	}
	for _, c := range cases {
		t.Run(c.algorithm, func(t *testing.T) {
			t.Parallel()
			key, err := NewKey(c.algorithm)
			if err != nil {
				t.Fatal(err)
			}
			if size(key) != c.size {
				t.Errorf("size %v, want %v", size(key), c.size)
			}
			data, err := EncodeKey(key)
			if err != nil {
				t.Fatal(err)
			}
			if block, rest := pem.Decode(data); block == nil || block.Type != c.block || len(rest) > 0 {
				t.Errorf("not one %s:\n%s", c.block, data)
			}
			again, err := ParseKey(data)
			if err != nil || !again.(interface{ Equal(crypto.PrivateKey) bool }).Equal(key) {
				t.Errorf("another key came back, %v", err)
			}
			checkPublic(t, key)
			ca, err := NewCA("x", key, time.Hour)
			if err != nil || ca.CheckSelf() != nil {
				t.Errorf("it can't sign: %v", err)
			}
		})
	}
}

func checkPublic(t *testing.T, key crypto.Signer) {
	t.Helper()
	data, err := EncodePublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil || block.Type != "PUBLIC KEY" || !public.(interface{ Equal(crypto.PublicKey) bool }).Equal(key.Public()) {
		t.Errorf("%s: not the public half, %v", block.Type, err)
	}
}

func TestParseKeyPKCS8(t *testing.T) {
	key := newKey(t)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil || !got.(*ecdsa.PrivateKey).Equal(key) {
		t.Errorf("another key came back, %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	ca := newCA(t, time.Hour)
	key, err := EncodeKey(ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert := EncodeCert(ca.Cert)
	damage := func(data []byte) []byte {
		block, _ := pem.Decode(data)
		block.Bytes = block.Bytes[:len(block.Bytes)-3]
		return pem.EncodeToMemory(block)
	}
	for name, data := range map[string][]byte{"nothing": nil, "text": []byte("hello"), "half a file": key[:40], "cut short": damage(key), "certificate": cert} {
		if got, err := ParseKey(data); err == nil || got != nil {
			t.Errorf("ParseKey takes %s", name)
		}
	}
	for name, data := range map[string][]byte{"nothing": nil, "text": []byte("hello"), "half a file": cert[:40], "cut short": damage(cert), "key": key} {
		if got, err := ParseCert(data); err == nil || got != nil {
			t.Errorf("ParseCert takes %s", name)
		}
	}
	if _, err := NewKey("ED25519"); err == nil {
		t.Error("NewKey takes ED25519")
	}
}

func TestNewCA(t *testing.T) {
	const decade = 10 * 365 * 24 * time.Hour
	cert := newCA(t, decade).Cert
	if cert.Subject.String() != "CN=kubernetes" || !cert.IsCA || !cert.BasicConstraintsValid {
		t.Errorf("%s, CA %v", cert.Subject, cert.IsCA)
	}
	if cert.KeyUsage != x509.KeyUsageKeyEncipherment|x509.KeyUsageDigitalSignature|x509.KeyUsageCertSign || len(cert.ExtKeyUsage) > 0 {
		t.Errorf("usage %b %v", cert.KeyUsage, cert.ExtKeyUsage)
	}
	if !slices.Equal(cert.DNSNames, []string{"kubernetes"}) || len(cert.IPAddresses) > 0 {
		t.Errorf("SANs %v %v", cert.DNSNames, cert.IPAddresses)
	}
	checkLifetime(t, cert, decade)
}

func checkLifetime(t *testing.T, cert *x509.Certificate, validity time.Duration) {
	t.Helper()
	if got := cert.NotAfter.Sub(cert.NotBefore); got != validity+backdate {
		t.Errorf("valid for %s, want %s and %s before", got, validity, backdate)
	}
	if cert.SerialNumber.Sign() <= 0 || cert.SerialNumber.BitLen() > 159 { // RFC 5280: positive, of at most 20 bytes
		t.Errorf("serial number %s", cert.SerialNumber)
	}
}

func TestIssue(t *testing.T) {
	ca := newCA(t, 2*time.Hour)
	cases := []struct {
		name  string
		leaf  Leaf
		dns   []string
		ips   []string
		usage []x509.ExtKeyUsage
	}{
		{"client", Leaf{CommonName: "admin", Organizations: []string{"system:masters", "web"}, Client: true, Validity: time.Hour},
			nil, nil, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}},
		{"server", Leaf{CommonName: "api", Names: []string{"a.example", "192.0.2.1", "2001:db8::1", "a.example", "2001:DB8:0::1"}, Server: true, Validity: time.Hour},
			[]string{"a.example"}, []string{"192.0.2.1", "2001:db8::1"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}},
		{"both", Leaf{CommonName: "peer", Server: true, Client: true, Validity: time.Hour},
			nil, nil, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			key := newKey(t)
			cert := issue(t, ca, c.leaf, key)
			var ips []string
			for _, ip := range cert.IPAddresses {
				ips = append(ips, ip.String())
			}
			if cert.Subject.CommonName != c.leaf.CommonName || !sameSet(cert.Subject.Organization, c.leaf.Organizations) {
				t.Errorf("subject %s", cert.Subject)
			}
			if !slices.Equal(cert.DNSNames, c.dns) || !slices.Equal(ips, c.ips) || !slices.Equal(cert.ExtKeyUsage, c.usage) {
				t.Errorf("SANs %v %v, usage %v", cert.DNSNames, ips, cert.ExtKeyUsage)
			}
			if cert.IsCA || cert.KeyUsage != x509.KeyUsageKeyEncipherment|x509.KeyUsageDigitalSignature {
				t.Errorf("CA %v, usage %b", cert.IsCA, cert.KeyUsage)
			}
			checkLifetime(t, cert, time.Hour)
			checkChain(t, ca, cert, c.usage)
			if err := ca.Check(c.leaf, cert, key); err != nil {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

func checkChain(t *testing.T, ca *CA, cert *x509.Certificate, usage []x509.ExtKeyUsage) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(ca.Cert)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: usage}); err != nil {
		t.Error(err)
	}
}

func TestLeafDoesNotOutliveCA(t *testing.T) {
	ca := newCA(t, time.Hour)
	cert := issue(t, ca, Leaf{CommonName: "x", Validity: 10 * time.Hour}, newKey(t))
	if !cert.NotAfter.Equal(ca.Cert.NotAfter) {
		t.Errorf("leaf ends at %s, its CA at %s", cert.NotAfter, ca.Cert.NotAfter)
	}
}

func TestSerialsDiffer(t *testing.T) {
	ca, key := newCA(t, time.Hour), newKey(t)
	leaf := Leaf{CommonName: "x", Validity: time.Hour}
	if issue(t, ca, leaf, key).SerialNumber.Cmp(issue(t, ca, leaf, key).SerialNumber) == 0 {
		t.Error("two certificates of one serial number")
	}
}

// TestCheck spoils one thing of a leaf that serves.
func TestCheck(t *testing.T) {
	ca, key := newCA(t, time.Hour), newKey(t)
	want := Leaf{CommonName: "api", Organizations: []string{"o"}, Names: []string{"a.example", "192.0.2.1"}, Server: true, Validity: time.Hour}
	cases := []struct {
		name  string
		spoil func(*Leaf)
		want  string
	}{
		{"common name", func(l *Leaf) { l.CommonName = "other" }, `its common name is "other", want "api"`},
		{"organization", func(l *Leaf) { l.Organizations = []string{"system:masters"} }, `its organization is ["system:masters"], want ["o"]`},
		{"no organization", func(l *Leaf) { l.Organizations = nil }, `its organization is [], want ["o"]`},
		{"a name less", func(l *Leaf) { l.Names = l.Names[1:] }, "its names differ"},
		{"a name more", func(l *Leaf) { l.Names = append(l.Names, "b.example") }, "its names differ"},
		{"another address", func(l *Leaf) { l.Names = []string{"a.example", "192.0.2.2"} }, "its names differ"},
		{"another usage", func(l *Leaf) { l.Server, l.Client = false, true }, "its key usage differs"},
		{"one usage more", func(l *Leaf) { l.Client = true }, "its key usage differs"},
		{"expired", func(l *Leaf) { l.Validity = -time.Minute }, "it expired at "},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			spoilt := want
			spoilt.Names = slices.Clone(want.Names)
			c.spoil(&spoilt)
			checkReason(t, ca.Check(want, issue(t, ca, spoilt, key), key), c.want)
		})
	}
	good := issue(t, ca, want, key)
	checkReason(t, ca.Check(want, good, newKey(t)), "the key does not belong to the certificate")
	checkReason(t, newCA(t, time.Hour).Check(want, good, key), "it is not signed by this cluster's kubernetes")
	early := *good
	early.NotBefore = time.Now().Add(time.Hour)
	checkReason(t, ca.Check(want, &early, key), "it is not valid before ")
	reordered := want
	reordered.Names = []string{"192.0.2.1", "a.example"}
	if err := ca.Check(reordered, good, key); err != nil {
		t.Errorf("the order of names matters: %v", err)
	}
}

func checkReason(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestCheckSelf(t *testing.T) {
	ca := newCA(t, time.Hour)
	if err := ca.CheckSelf(); err != nil {
		t.Error(err)
	}
	checkReason(t, (&CA{Cert: ca.Cert, Key: newKey(t)}).CheckSelf(), "the key beside it does not belong to it")
	key := newKey(t)
	leaf := issue(t, ca, Leaf{CommonName: "x", Validity: time.Hour}, key)
	checkReason(t, (&CA{Cert: leaf, Key: key}).CheckSelf(), "it is no CA certificate")
	checkReason(t, newCA(t, -time.Minute).CheckSelf(), "it expired at ")
	early := *ca.Cert
	early.NotBefore = time.Now().Add(time.Hour)
	checkReason(t, (&CA{Cert: &early, Key: ca.Key}).CheckSelf(), "it is not valid before ")
}

func TestKubeconfigRoundTrip(t *testing.T) {
	want := Kubeconfig{
		Server: "https://[2001:db8::1]:6443", Cluster: "blue", User: "system:node:node-1",
		CA: []byte("ca"), Cert: []byte("cert"), Key: []byte("key\n"),
	}
	data, err := EncodeKubeconfig(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseKubeconfig(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	again, err := EncodeKubeconfig(want)
	if err != nil || string(again) != string(data) {
		t.Errorf("the same input gives other bytes, %v", err)
	}
	if !strings.Contains(string(data), "current-context: system:node:node-1@blue\n") {
		t.Errorf("no current context:\n%s", data)
	}
}

func TestParseKubeconfigRefuses(t *testing.T) {
	for name, data := range map[string]string{
		"nothing":       "",
		"no YAML":       "a: [",
		"text":          "hello",
		"two clusters":  "clusters: [{name: a}, {name: b}]\nusers: [{name: a}]\ncontexts: [{name: a}]\n",
		"no user":       "clusters: [{name: a}]\nusers: []\ncontexts: [{name: a}]\n",
		"no base64":     "clusters: [{name: a, cluster: {certificate-authority-data: '%'}}]\nusers: [{name: a}]\ncontexts: [{name: a}]\n",
		"list as a map": "clusters: {}\n",
	} {
		if _, err := ParseKubeconfig([]byte(data)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// TestIPOf holds that addresses are kept in 4 or 16 bytes, as clients compare them.
func TestIPOf(t *testing.T) {
	_, ips := Leaf{Names: []string{"127.0.0.1", "::1"}}.sans()
	want := []net.IP{net.IPv4(127, 0, 0, 1).To4(), net.IPv6loopback}
	if diff := cmp.Diff(want, ips); diff != "" {
		t.Error(diff)
	}
}

// TestIssueAfterCA: a clock that was set back since the CA was made makes no certificate valid before that.
func TestIssueAfterCA(t *testing.T) {
	ca := newCA(t, time.Hour)
	later := *ca.Cert
	later.NotBefore = time.Now().Add(30 * time.Minute).Truncate(time.Second)
	cert, err := (&CA{Cert: &later, Key: ca.Key}).Issue(Leaf{CommonName: "x", Client: true, Validity: time.Hour}, newKey(t))
	if err != nil || !cert.NotBefore.Equal(later.NotBefore) {
		t.Errorf("%v: it is valid from %v, its CA from %v", err, cert.NotBefore, later.NotBefore)
	}
}
