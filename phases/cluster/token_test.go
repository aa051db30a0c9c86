package cluster

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	secretsPath = "/api/v1/namespaces/kube-system/secrets/"
	tokenSecret = "0123456789abcdef"
)

func testToken() Token {
	return Token{
		ID: "abcdef", Secret: tokenSecret, Description: "rack 7", Expires: time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC),
		Usages: []string{"signing", "authentication"}, Groups: []string{NodeGroup, "system:bootstrappers:b"},
	}
}

func decodeBase64(t *testing.T, text any) string {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(text.(string))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestTokenSecret holds the form that the API server's authenticator and the
// controllers read.
func TestTokenSecret(t *testing.T) {
	c, s, _ := connectStore(t)
	if err := c.CreateToken(t.Context(), testToken()); err != nil {
		t.Fatal(err)
	}
	secret := s.objects[secretsPath+"bootstrap-token-abcdef"]
	got := map[string]string{}
	for key, value := range secret["data"].(map[string]any) {
		got[key] = decodeBase64(t, value)
	}
	want := map[string]string{
		"token-id": "abcdef", "token-secret": tokenSecret, "description": "rack 7", "expiration": "2040-01-02T03:04:05Z",
		"usage-bootstrap-signing": "true", "usage-bootstrap-authentication": "true", "auth-extra-groups": NodeGroup + ",system:bootstrappers:b",
	}
	if diff := cmp.Diff(want, got); diff != "" || secret["type"] != "bootstrap.kubernetes.io/token" {
		t.Errorf("type %v (-want +got):\n%s", secret["type"], diff)
	}
	all, err := c.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Token{testToken()}, all); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
}

func TestApplyTokenAgain(t *testing.T) {
	c, _, _ := connectStore(t)
	apply := func(change func(*Token)) ([]Applied, Token) {
		t.Helper()
		token := testToken()
		change(&token)
		applied, err := told(c, func(c *Cluster) error { return c.ApplyToken(t.Context(), token) })
		if err != nil {
			t.Fatal(err)
		}
		all, err := c.Tokens(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return applied, all[0]
	}
	if applied, _ := apply(func(*Token) {}); applied[0].Verb != Created {
		t.Error(applied)
	}
	later := testToken().Expires.Add(time.Hour)
	applied, token := apply(func(t *Token) { t.Expires = later })
	if len(applied) > 0 || !token.Expires.Equal(testToken().Expires) {
		t.Errorf("the same token again: %v, until %s", applied, token.Expires)
	}
	applied, token = apply(func(t *Token) { t.Secret, t.Expires = "fedcba9876543210", later })
	if applied[0].Verb != Updated || !token.Expires.Equal(later) || token.Secret != "fedcba9876543210" {
		t.Errorf("another secret: %v, until %s", applied, token.Expires)
	}
	if err := c.CreateToken(t.Context(), testToken()); err == nil || err.Error() != "there is a token with the id abcdef already" {
		t.Error(err)
	}
}

func TestDeleteToken(t *testing.T) {
	c, s, _ := connectStore(t)
	if err := c.CreateToken(t.Context(), testToken()); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteToken(t.Context(), "abcdef"); err != nil || len(s.objects) != 0 {
		t.Error(err, s.objects)
	}
	if err := c.DeleteToken(t.Context(), "abcdef"); err == nil || err.Error() != "there is no token with the id abcdef" {
		t.Error(err)
	}
}

// TestTokensListsTheGoodOnes although one is broken, and tells no secret of that.
func TestTokensListsTheGoodOnes(t *testing.T) {
	c, s, _ := connectStore(t)
	for _, id := range []string{"zzzzzz", "abcdef", "broken"} {
		token := testToken()
		token.ID = id
		if err := c.CreateToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	s.objects[secretsPath+"bootstrap-token-broken"]["data"].(map[string]any)["token-id"] = "eHh4"
	all, err := c.Tokens(t.Context())
	if err == nil || err.Error() != "bootstrap-token-broken of kube-system is no valid bootstrap token" {
		t.Error(err)
	}
	if len(all) != 2 || all[0].ID != "abcdef" || all[1].ID != "zzzzzz" {
		t.Error(all)
	}
}

func TestTokenHidesItsSecret(t *testing.T) {
	token := testToken()
	for _, text := range []string{token.String(), fmt.Sprintf("%v %+v %#v %s", token, token, token, []Token{token})} {
		if strings.Contains(text, tokenSecret) {
			t.Error(text)
		}
	}
	if token.Value() != "abcdef."+tokenSecret {
		t.Error(token.Value())
	}
	c, s, _ := connectStore(t)
	s.refuse = func(*http.Request) int { return http.StatusUnprocessableEntity }
	if err := c.CreateToken(t.Context(), token); err == nil || strings.Contains(err.Error(), tokenSecret) {
		t.Error(err)
	}
}

func TestParseToken(t *testing.T) {
	made, err := NewToken()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ParseToken(made.Value())
	if diff := cmp.Diff(made, parsed); err != nil || diff != "" || made.Check() != nil {
		t.Errorf("%v %v %s", err, made.Check(), diff)
	}
	if id, err := TokenID("abcdef." + tokenSecret); id != "abcdef" || err != nil {
		t.Error(id, err)
	}
	for _, value := range []string{"", "abcdef", "abcdef." + tokenSecret + "0", "ABCDEF." + tokenSecret, "abcdef:" + tokenSecret} {
		if _, err := ParseToken(value); err == nil || strings.Contains(err.Error(), "ABCDEF") {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestTokenCheck(t *testing.T) {
	cases := map[string]struct {
		change func(*Token)
		want   string
	}{
		"usage":              {func(t *Token) { t.Usages = []string{"singing"} }, "singing"},
		"group":              {func(t *Token) { t.Groups = []string{"system:masters"} }, `"system:masters"`},
		"no usage":           {func(t *Token) { t.Usages, t.Groups = nil, nil }, "of no use"},
		"groups, no bearer":  {func(t *Token) { t.Usages = []string{"signing"} }, "needs the usage authentication"},
		"signing alone":      {func(t *Token) { t.Usages, t.Groups = []string{"signing"}, nil }, ""},
		"nothing is changed": {func(*Token) {}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			token := testToken()
			c.change(&token)
			err := token.Check()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

const testKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

func parseKey(t *testing.T, text string) CertificateKey {
	t.Helper()
	key, err := ParseCertificateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestCertificateKeyOpensKubeadms reads what AES-256-GCM gives for a known key, nonce
// and text: the form that kubeadm stores.
func TestCertificateKeyOpensKubeadms(t *testing.T) {
	key := parseKey(t, strings.Repeat("00", 32)) // test case 14 of the GCM specification
	sealed, err := hex.DecodeString("000000000000000000000000" + "cea7403d4d606b6e074ec5d3baf39d18" + "d0d1c8a799996bf0265b98b5d48ab919")
	if err != nil {
		t.Fatal(err)
	}
	text, err := key.gcm().Open(nil, nil, sealed, nil)
	if err != nil || !slices.Equal(text, make([]byte, 16)) {
		t.Errorf("%x, %v", text, err)
	}
	if _, err := key.gcm().Open(nil, nil, sealed[:11], nil); err == nil {
		t.Error("it opens what has no nonce")
	}
}

func TestUploadCerts(t *testing.T) {
	c, s, asked := connectStore(t)
	key := parseKey(t, testKey)
	files := map[string][]byte{"ca.crt": []byte("cert"), "ca.key": []byte("PRIVATE"), "sa.key": nil}
	upload := func(key CertificateKey) ([]Applied, error) {
		return told(c, func(c *Cluster) error { return c.UploadCerts(t.Context(), files, key) })
	}
	applied, err := upload(key)
	if err != nil || len(applied) != 2 {
		t.Fatal(applied, err)
	}
	secret := s.objects[secretsPath+"kubeadm-certs"]
	for name, want := range files {
		sealed := []byte(decodeBase64(t, secret["data"].(map[string]any)[name]))
		if len(want) == 0 && len(sealed) == 0 {
			continue
		}
		if got, err := key.gcm().Open(nil, nil, sealed, nil); err != nil || string(got) != string(want) || strings.Contains(string(sealed), string(want)) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	checkOwner(t, c, secret)
	before := len(asked.requests)
	if applied, err = upload(key); len(applied) != 0 || err != nil || len(asked.requests) != before+1 {
		t.Errorf("again: %v, %v, %d requests", applied, err, len(asked.requests)-before)
	}
	other := parseKey(t, strings.Repeat("11", 32))
	if applied, err = upload(other); len(applied) != 2 || err != nil {
		t.Errorf("another key: %v, %v", applied, err)
	}
}

// checkOwner wants the Secret to go with a token that only expires.
func checkOwner(t *testing.T, c *Cluster, secret map[string]any) {
	t.Helper()
	owners := secret["metadata"].(map[string]any)["ownerReferences"].([]any)
	all, err := c.Tokens(t.Context())
	if err != nil || len(owners) != 1 || len(all) != 1 {
		t.Fatal(owners, all, err)
	}
	name := "bootstrap-token-" + all[0].ID
	want := map[string]any{"apiVersion": "v1", "kind": "Secret", "name": name, "uid": "uid of " + secretsPath + name, "controller": true, "blockOwnerDeletion": true}
	if diff := cmp.Diff(want, owners[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if left := time.Until(all[0].Expires); left > 2*time.Hour || left < time.Hour || len(all[0].Usages)+len(all[0].Groups) > 0 {
		t.Errorf("%+v for %s", all[0].Usages, left)
	}
}

func TestCertificateKey(t *testing.T) {
	made := NewCertificateKey()
	if again := NewCertificateKey(); parseKey(t, made.Hex()) != made || again == made {
		t.Error(made.Hex(), again.Hex())
	}
	if text := fmt.Sprintf("%v %+v %s", made, made, made); strings.Contains(text, made.Hex()[:8]) {
		t.Error(text)
	}
	for _, bad := range []string{"", testKey[2:], "zz" + testKey[2:], testKey + "00"} {
		if _, err := ParseCertificateKey(bad); err == nil || strings.Contains(err.Error(), "0102") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestJoinCommand wants the endpoint that the kubeconfig names, and the hash of the CA's
// public key as `openssl pkey -pubin -outform der | openssl dgst -sha256` gives it.
func TestJoinCommand(t *testing.T) {
	c, err := Connect(kubeconfig(t, []byte(testCA)), "https://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.JoinCommand(testToken(), testKey)
	want := "kubeadm join balancer.invalid:6443 --token abcdef." + tokenSecret + " --discovery-token-ca-cert-hash sha256:" + testCAHash +
		" --control-plane --certificate-key " + testKey
	if err != nil || got != want {
		t.Errorf("%v\n%s\n%s", err, got, want)
	}
	worker, err := c.JoinCommand(testToken(), "")
	if err != nil || strings.Contains(worker, "--control-plane") {
		t.Error(worker, err)
	}
	without, err := Connect(kubeconfig(t, nil), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := without.JoinCommand(testToken(), ""); err == nil || err.Error() != "the kubeconfig has no CA certificate" {
		t.Error(err)
	}
}

// testCA is made by openssl, and so is the hash of its key.
const (
	testCA = `-----BEGIN CERTIFICATE-----
MIIBgTCCASegAwIBAgIUZcHRhhi+s4bkjIePA/wlRwzmIy0wCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKa3ViZXJuZXRlczAgFw0yNjExMjQwMTA1MDZaGA8yMTI2MTAz
MTAxMDUwNlowFTETMBEGA1UEAwwKa3ViZXJuZXRlczBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABLSYvi5goT5ztDC0pK1fUa70iyxQqB//5GJFMWOEvbw+5dhyAP00
7nc3BFAnTgGByDydmtGq5G58uRKmQI8nT+ajUzBRMB0GA1UdDgQWBBQbqQ5wMyp1
/AMqb9ji/CJxVmb4+zAfBgNVHSMEGDAWgBQbqQ5wMyp1/AMqb9ji/CJxVmb4+zAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQC4/MxlmdjNsj8WZ2kt
kZq94nDHDzIKq81KDnNdmCVtOwIgINPLbfSEtiwq7ZKESoj0uNs1U0hgVBEYOzAs
bB4MH1U=
-----END CERTIFICATE-----
`
	testCAHash = "06b630da14668827c7e8600e5c0e21e389fe193f329db66c74edefedaf49c90b"
)
