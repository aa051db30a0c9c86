package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

const (
	canary   = "c4n4ry-Hunter2xyz"
	keyLine  = "MHcCAQEEIBl4aVd3c0pLV2Zkc2pmbGtqc2RmbGtqc2RmbGtqc2RmbGtqc2RmoAo"
	pemKey   = "-----BEGIN EC PRIVATE KEY-----\n" + keyLine + "\nAoGCCqGSM49==\n-----END EC PRIVATE KEY-----\n"
	jwtToken = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW06c2EifQ.c2lnbmF0dXJl"
	certHex  = "1f0e1f0e1f0e1f0e1f0e1f0e1f0e1f0e1f0e1f0e1f0e1f0e1f0e1f0e1f0e1f0e"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// TestForms: no secret of these survives, and what stands around it does.
func TestForms(t *testing.T) {
	cases := []struct{ name, text, secret, keeps string }{
		{"private key", "before\n" + pemKey + "after\n", keyLine, "after"},
		{"private key in a log", "Nov 25 host x[1]: " + strings.ReplaceAll(pemKey, "\n", "\nNov 25 host x[1]: ") + "\nafter", keyLine, "after"},
		{"private key on one line", `{"key":"` + strings.ReplaceAll(pemKey, "\n", `\n`) + `","b":1}`, keyLine, `"b":1`},
		{"private key that is cut off", "-----BEGIN PRIVATE KEY-----\n" + keyLine + "\n", keyLine, "BEGIN"},
		{"base64 of a private key", "ca.key: " + b64(pemKey) + "\nx", b64(pemKey)[:60], "ca.key"},
		{"base64 of a kubeconfig", "conf: " + b64("users:\n- user:\n    token: "+canary+"\n"), b64("users:\n- user:\n    token: " + canary)[:40], "conf"},
		{"client-key-data", "    client-key-data: " + b64(pemKey) + "\n", b64(pemKey)[40:80], "client-key-data"},
		{"JWT", "token " + jwtToken + " expired", "eyJzdWI", "expired"},
		{"bootstrap token", "kubeadm join --token abcdef.0123456789abcdef --x", "0123456789abcdef", "--x"},
		{"certificate key flag", "--control-plane --certificate-key " + certHex, certHex, "--control-plane"},
		{"certificate key field", "certificateKey: \"" + certHex + "\"\nnext: 1", certHex, "next: 1"},
		{"bearer header", "GET / Authorization: Bearer " + canary + "\nnext", canary, "next"},
		{"header in Go's words", `Headers:map[Authorization:[Bearer ` + canary + `]] x`, canary, "x"},
		{"basic header", `{"Authorization":"Basic ` + b64("u:"+canary) + `","b":1}`, b64("u:" + canary), `"b":1`},
		{"bearer alone", "invalid bearer " + canary, canary, "invalid"},
		{"user in a URL", "HTTP_PROXY=http://bob:" + canary + "@proxy.example:3128", canary, "proxy.example:3128"},
		{"only a token in a URL", "https://" + canary + "@git.example/x", canary, "git.example"},
		{"password=", `msg="connect" password=` + canary + ` user=bob`, canary, "user=bob"},
		{"quoted with spaces", `password="correct horse ` + canary + `" x=1`, "horse", "x=1"},
		{"YAML with spaces", "password: correct horse battery\nnext: 1", "battery", "next: 1"},
		{"YAML in a list", "- token: hunter2\n", "hunter2", "token"},
		{"YAML in braces", "{user: bob, password: hunter2}", "hunter2", "bob"},
		{"YAML block", "password: |-\n  hunter2\nnext: 1", "hunter2", "next: 1"},
		{"JSON", `{"password":"hunter2","user":"bob"}`, "hunter2", "bob"},
		{"JSON with a quote", `{"password":"hun\"ter2","user":"bob"}`, "ter2", "bob"},
		{"JSON in a string", `msg="{\"password\":\"hunter2\",\"user\":\"bob\"}"`, "hunter2", "bob"},
		{"log of a container", "2026-11-25T03:43:28Z stdout F password: hunter2", "hunter2", "stdout"},
		{"prose", "cannot log in, password: " + canary, canary, "cannot"},
		{"flag", "kubelet --bootstrap-token " + canary + " --v=2", canary, "--v=2"},
		{"flag with spaces", `run --password "two words" --v=2`, "words", "--v=2"},
		{"environment", "DB_PASSWORD=hunter2\nHOME=/root", "hunter2", "HOME=/root"},
		{"AWS", "AWS_SECRET_ACCESS_KEY=hunter2", "hunter2", "AWS"},
		{"unit", `Environment="API_TOKEN=two words" "B=1"`, "words", `"B=1"`},
		{"env of a pod", "- name: API_TOKEN\n  value: hunter2\n- name: B\n  value: kept\n", "hunter2", "kept"},
		{"env, indented more", "-   name: API_TOKEN\n    value: hunter2\n-   name: B\n    value: kept\n", "hunter2", "kept"},
		{"env, with comments", "- name: API_TOKEN # ours\n\n  # not the old one\n  value: hunter2\n- name: B\n  value: kept\n", "hunter2", "kept"},
		{"env, a block", "- name: API_TOKEN\n  value: |-\n    hunter2\n- name: B\n  value: kept\n", "hunter2", "kept"},
		{"env, the value first", "- value: hunter2\n  name: API_TOKEN\n- value: kept\n  name: B\n", "hunter2", "kept"},
		{"env in braces", "env: [{name: API_TOKEN, value: hunter2}, {name: B, value: kept}]", "hunter2", "kept"},
		{"env in JSON", `[{"name":"API_TOKEN","value":"hunter2"},{"name":"B","value":"kept"}]`, "hunter2", "kept"},
		{"env in JSON of several lines", "{\n \"name\": \"API_TOKEN\",\n \"value\": \"hunter2\"\n}", "hunter2", "API_TOKEN"},
		{"Secret", "apiVersion: v1\ndata:\n  user: aHVudGVyMg==\nkind: Secret\nmetadata:\n  name: kept\n", "aHVudGVyMg", "kept"},
		{"Secret in plain words", "kind: Secret\nstringData:\n  user: hunter2\ntype: kept\n", "hunter2", "kept"},
		{"Secret as JSON", `{"kind":"Secret","data":{"user":"aHVudGVyMg=="},"type":"kept"}`, "aHVudGVyMg", "kept"},
		{"Secret as JSON of several lines", "{\n \"kind\": \"Secret\",\n \"data\": {\n  \"user\": \"aHVudGVyMg==\"\n },\n \"type\": \"kept\"\n}", "aHVudGVyMg", "kept"},
		{"registry", `auth = "Ym9iOmh1bnRlcjI="`, "Ym9iOmh1bnRlcjI", "auth"},
		{"encryption at rest", "- aescbc:\n    keys:\n    - name: key1\n      secret: aHVudGVyMg==\n", "aHVudGVyMg", "key1"},
		{"quoted, with a sign of YAML", "DB_PASSWORD=\"&9fK2vQx7Lp\"\nHOME=/root", "9fK2vQx7Lp", "HOME=/root"},
		{"environment, with a sign of YAML", "DB_PASSWORD=[9fK2vQx7Lp\nHOME=/root", "9fK2vQx7Lp", "HOME=/root"},
		{"unit, with a sign of YAML", `Environment="API_TOKEN=&9fK2vQx7Lp" "B=1"`, "9fK2vQx7Lp", `"B=1"`},
		{"env of a pod, with a sign of YAML", "- name: API_TOKEN\n  value: \"&hunter2\"\n- name: B\n  value: kept\n", "hunter2", "kept"},
		{"words of a list", `args: ["--token", "hunter2", "--v=2"]`, "hunter2", "--v=2"},
		{"words of a list in JSON", `"command":["web","--db-password","hunter2"],"tty":true`, "hunter2", "tty"},
		{"words of a list, one a line", "- --password\n- hunter2\n- --v=2\n", "hunter2", "--v=2"},
		{"words of a list in JSON, one a line", "\"--password\",\n\"hunter2\",\n\"--v=2\"", "hunter2", "--v=2"},
		{"header of a probe", "httpHeaders:\n- name: Authorization\n  value: Basic dXNlcjpwYXNz\n- name: B\n  value: kept\n", "dXNlcjpwYXNz", "kept"},
		{"header of a probe in braces", "httpHeaders: [{name: Authorization, value: Basic dXNlcjpwYXNz}, {name: B, value: kept}]", "dXNlcjpwYXNz", "kept"},
		{"cookie", "Cookie: session=" + canary, canary, "Cookie"},
	}
	for _, c := range cases {
		got := Text(c.text)
		if strings.Contains(got, c.secret) || !strings.Contains(got, Mark) || !strings.Contains(got, c.keeps) {
			t.Errorf("%s:\n%s\nbecomes\n%s", c.name, c.text, got)
		}
		if again := Text(got); again != got {
			t.Errorf("%s: a second time it becomes\n%s\nwas\n%s", c.name, again, got)
		}
	}
}

// TestKeeps: what an engineer needs to read stays as it is.
func TestKeeps(t *testing.T) {
	for _, text := range []string{
		"image sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 is not there",
		"pod 0b9c1d2e-3f40-4a5b-8c6d-7e8f9a0b1c2d is not ready",
		"fingerprint 9F:86:D0:81:88:4C:7D:65 of /etc/kubernetes/pki/ca.crt",
		"-----BEGIN CERTIFICATE-----\nMIIDBTCCAe2gAwIBAgIIb2Vd\n-----END CERTIFICATE-----\n",
		"certificate-authority-data: " + b64("-----BEGIN CERTIFICATE-----\nMIIDBTCCAe2gAwIBAgIIb2VdMIIDBTCCAe2gAwIBAgIIb2Vd\n-----END CERTIFICATE-----\n"),
		"--token-auth-file=/etc/tokens.csv --authorization-mode=Node,RBAC --service-account-key-file=/etc/kubernetes/pki/sa.pub",
		"automountServiceAccountToken: false",
		"authorization:\n  mode: Webhook\n",
		`MountVolume.SetUp failed for volume "x": secret "kubeadm-certs" not found`,
		`object="x" secret="kube-system/kubeadm-certs"`,
		"cluster.yaml:12: bootstrapTokens[0].token: it has no usage",
		"/var/lib/kubelet/pods/0b9c1d2e-3f40-4a5b-8c6d-7e8f9a0b1c2d/volumes/kubernetes.io~projected/kube-api-access",
		"kubelet.conf: no such file; containerd.service: exit code 1",
		"kind: ConfigMap\ndata:\n  Corefile: |\n    .:53 {\n    }\n",
		"containerd 2.2.9 a1b2c3d4e5f60718293a4b5c6d7e8f9012345678",
		"tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token",
		"token: /var/run/secrets/kubernetes.io/serviceaccount/token",
		"192.0.2.10:6443: connect: connection refused",
		"args: [--token, --v=2]\nenv: [{name: API_TOKEN, value: $(OTHER)}]\npassword: &anchor\n",
		"- --password\n- --v=2\n",
		"",
		"\n\n",
	} {
		if got := Text(text); got != text {
			t.Errorf("%s\nbecomes\n%s", text, got)
		}
	}
}

// TestStaysJSON: programs can still read what was JSON.
func TestStaysJSON(t *testing.T) {
	for _, text := range []string{
		`{"password":"hunter2","log":["{\"token\":\"hunter2\",\"a\":1}","x --token hunter2"],"user":"bob"}`,
		`[{"name":"API_TOKEN","value":"hunter2"}]`,
		"{\n \"name\": \"API_TOKEN\",\n \"value\": \"hunter2\"\n}",
	} {
		if got := Text(text); !json.Valid([]byte(got)) || strings.Contains(got, "hunter2") {
			t.Errorf("%s\nbecomes\n%s", text, got)
		}
	}
}

func TestFound(t *testing.T) {
	got := Found("- name: API_TOKEN\n  value: hunter2-hunter2\n- password: other\n" + "conf: " + b64("token: "+canary+"-which-makes-it-long-enough\n"))
	got = append(got, Found("http://bob:pass-word@host Authorization: Bearer "+canary)...)
	for _, want := range []string{"hunter2-hunter2", "other", "pass-word", canary, canary + "-which-makes-it-long-enough"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
}

// TestLines: each line of a key is a secret, whatever stands around it.
func TestLines(t *testing.T) {
	r := New([]string{pemKey})
	for _, text := range []string{keyLine, "x " + keyLine + " y", b64("abc" + pemKey), strings.ReplaceAll(pemKey, "\n", "")} {
		got := r.Text(text)
		if strings.Contains(got, keyLine) || strings.Contains(got, b64(keyLine)[4:40]) {
			t.Errorf("%s becomes %s", text, got)
		}
	}
}

// FuzzValue: a value survives in no encoding, wherever it stands.
func FuzzValue(f *testing.F) {
	f.Add(canary, "before ", " after")
	f.Add("päss wörd\"'\\<&%", "x", "")
	f.Add("++//==00??", "ab", "\n")
	f.Fuzz(func(t *testing.T, secret, before, after string) {
		secret = strings.TrimSpace(secret)
		if len(secret) < shortest || !utf8.ValidString(secret+before+after) || strings.ContainsAny(secret, "[]\n\r") || strings.Contains(Mark, secret) {
			return
		}
		r := New([]string{secret})
		for name, spelled := range spellings(secret) {
			for _, text := range []string{spelled, before + spelled + after, spelled + spelled} {
				if got := r.Text(text); strings.Contains(got, spelled) {
					t.Errorf("%s: %q becomes %q", name, text, got)
				}
			}
		}
		for pad := range 3 {
			text := b64(strings.Repeat("\x00", pad) + secret + after)
			core := base64At(secret, pad)
			if got := r.Text(text); strings.Contains(got, core) {
				t.Errorf("base64 at %d: %q becomes %q", pad, text, got)
			}
		}
	})
}

func spellings(secret string) map[string]string {
	inJSON, _ := json.Marshal(secret)
	return map[string]string{
		"plain": secret, "json": strings.Trim(string(inJSON), `"`), "quoted": strings.Trim(strconv.Quote(secret), `"`),
		"hex": hex.EncodeToString([]byte(secret)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"query": url.QueryEscape(secret), "path": url.PathEscape(secret),
		"base64": strings.TrimRight(b64(secret), "="), "base64 for URLs": base64.RawURLEncoding.EncodeToString([]byte(secret)),
	}
}

// FuzzForms: any text can be looked at, in time.
func FuzzForms(f *testing.F) {
	f.Add(pemKey)
	f.Add(`{"kind":"Secret","data":{}}`)
	f.Add("- value: x\n  name: API_TOKEN")
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		Text(text)
		if took := time.Since(start); took > time.Second+time.Duration(len(text))*time.Microsecond {
			t.Errorf("%d bytes take %s", len(text), took)
		}
	})
}

func BenchmarkText(b *testing.B) {
	line := `Nov 25 03:43:28 node kubelet[123]: E1125 03:43:28.123456     123 pod_workers.go:1301] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"kube-apiserver\"" pod="kube-system/kube-apiserver-node" podUID="0b9c1d2e3f404a5b8c6d7e8f9a0b1c2d"` + "\n"
	text := strings.Repeat(line, 4000)
	var secrets []string
	for i := range 300 {
		secrets = append(secrets, canary+strconv.Itoa(i)+keyLine)
	}
	r := New(secrets)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r.Text(text)
	}
}
