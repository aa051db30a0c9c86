package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bootstrap/phases/plan"
	"bootstrap/phases/staticpods"
	"bootstrap/phases/support"
)

// planted are files of a machine; CANARY in them becomes another secret in each.
var planted = map[string]string{
	"/etc/kubernetes/pki/ca.key":                                                "-----BEGIN EC PRIVATE KEY-----\nCANARY\n-----END EC PRIVATE KEY-----\n",
	"/etc/kubernetes/pki/etcd/damaged.key":                                      "CANARY\n",
	"/etc/kubernetes/admin.conf":                                                "kind: Config\nclusters: [{name: kept-cluster, cluster: {server: https://192.0.2.10:6443}}]\nusers: [{name: kept-user, user: {token: CANARY}}]\n",
	"/etc/kubernetes/manifests/web.yaml":                                        "kind: Pod\nspec:\n  containers:\n  - name: kept-container\n    env:\n    - name: API_TOKEN\n      value: CANARY\n",
	"/etc/kubernetes/manifests/secret.yaml":                                     "kind: Secret\ndata:\n  kept-name: Q0FOQVJZ\nstringData:\n  any: CANARY\n",
	"/etc/kubernetes/encryption.yaml":                                           "kind: EncryptionConfiguration\nresources:\n- providers:\n  - secretbox:\n      keys:\n      - name: key1\n        secret: CANARY\n",
	"/etc/systemd/system/kubelet.service":                                       "[Service]\nEnvironment=\"HTTPS_PROXY=http://bob:CANARY@kept-proxy:3128\"\n",
	"/etc/containerd/config.toml":                                               "[auth]\nusername = \"kept-bob\"\npassword = \"CANARY\"\n",
	"/etc/cni/net.d/10-x.conflist":                                              `{"name":"kept-network","apiToken":"CANARY"}`,
	"/etc/sysctl.d/99-x.conf":                                                   "# password=CANARY\nkernel.kept=1\n",
	"/etc/environment":                                                          "DB_PASSWORD=CANARY\n",
	"/var/lib/kubelet/config.yaml":                                              "kind: KubeletConfiguration\nkept: 1\nsomeToken: CANARY\n",
	"/var/lib/kubelet/pki/kubelet.pem":                                          "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----\n",
	"/var/lib/etcd/member/snap/db":                                              "CANARY",
	"/var/lib/bootstrap/saved/1":                                                "CANARY",
	"/etc/kubernetes/bootstrap-kubelet.conf":                                    "users:\n- name: x\n  user:\n    password: CANARY\n",
	"/var/lib/kubelet/pods/u/volumes/kubernetes.io~secret/s/..2026_01/plain":    "CANARY",
	"/var/lib/kubelet/pods/u/volumes/kubernetes.io~projected/p/..2026_01/token": "CANARY",
	podLog + "0.log":                                                            "2026-01-01T00:00:00Z stdout F kept-line Authorization: Bearer CANARY\n",
	podLog + "0.log.20260101-000000":                                            "2026-01-01T00:00:00Z stdout F kept-older {\"password\":\"CANARY\"}\n",
	"/proc/cmdline":                                                             "root=/dev/vda kept.option=1 my.password=CANARY\n",
	"/etc/resolv.conf":                                                          "nameserver 192.0.2.53\n",
	"/etc/os-release":                                                           "ID=kept-os\n",
	"/proc/sys/kernel/hostname":                                                 "node-1\n",
	"/run/secrets/never/read/by/support":                                        "CANARY",
}

const podLog = "/var/log/pods/kube-system_web_uid/web/"

// plantAll makes a machine, and gives every secret of it.
func plantAll(t *testing.T, root string) []string {
	t.Helper()
	var secrets []string
	for path, content := range planted {
		if strings.Contains(content, "CANARY") {
			secret := "zq7" + strings.Map(letters, path) + "9"
			secrets = append(secrets, secret)
			content = strings.ReplaceAll(content, "CANARY", secret)
		}
		write(t, root+path, content)
	}
	return secrets
}

func letters(r rune) rune {
	if r >= 'a' && r <= 'z' {
		return r
	}
	return -1
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// unpack gives the files of an archive, without its folder.
func unpack(t *testing.T, file string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	zipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(zipped); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(header.Name, "/")
		files[name] = string(content)
	}
}

// TestSupportHides: no secret of a machine is in the archive or in what is printed.
func TestSupportHides(t *testing.T) {
	root, file := t.TempDir(), filepath.Join(t.TempDir(), "support.tar.gz")
	secrets := plantAll(t, root)
	const token, key = "zq7zq7.zq7tokensecret99", "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
	config := filepath.Join(t.TempDir(), "cluster.yaml")
	write(t, config, "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nlocalAPIEndpoint: {advertiseAddress: 192.0.2.10}\n"+
		"certificateKey: "+key+"\nbootstrapTokens:\n- token: "+token+"\n")
	var log strings.Builder
	for _, secret := range secrets {
		for _, spelled := range []string{secret, base64.StdEncoding.EncodeToString([]byte("x" + secret + "y")), hex.EncodeToString([]byte(secret))} {
			if unknown(secret) {
				continue
			}
			log.WriteString("2026-01-01T00:00:00Z stderr F it says " + spelled + " here\n")
		}
	}
	write(t, root+podLog+"1.log", log.String()+"join "+token+" certificate-key "+key+"\n")
	zippedLog(t, root+podLog+"0.log.20251231-000000.gz", "kept-oldest password=zq7inthezippedlog9\n")
	secrets = append(secrets, "zq7inthezippedlog9", token[7:], key)

	out := outputOf(t, "support", "--root", root, "--config", config, "--output-file", file)
	files := unpack(t, file)
	all := out
	for name, content := range files {
		all += name + "\n" + content
	}
	for _, secret := range secrets {
		encoded := base64.StdEncoding.EncodeToString([]byte("x" + secret + "y"))
		for _, spelled := range []string{secret, encoded[4 : len(encoded)-4], hex.EncodeToString([]byte(secret))} {
			if i := strings.Index(all, spelled); i >= 0 {
				t.Errorf("%s is there: ...%s...", secret, all[max(0, i-80):min(len(all), i+80)])
			}
		}
	}
	for _, want := range []string{"kept-cluster", "kept-user", "kept-container", "kept-proxy", "kept-bob", "kept-network", "kernel.kept=1",
		"kept-line", "kept-older", "kept-oldest", "kept.option=1", "kept-os", "192.0.2.53", "tar xzf " + file, "MANIFEST.json"} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not there", want)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the archive: %v, %v", info.Mode(), err)
	}
}

// unknown are secrets that support does not look for: they stand only where it does not
// read, or where their form is all that is known.
func unknown(secret string) bool {
	for _, part := range []string{"never", "varlibetcd", "saved", "proccmdline", "varlogpods", "etcsysctld"} {
		if strings.Contains(secret, part) {
			return true
		}
	}
	return false
}

func zippedLog(t *testing.T, path, content string) {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, content); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	write(t, path, b.String())
}

// TestSupportManifest: it names every file, what was cut, and what could not be read.
func TestSupportManifest(t *testing.T) {
	root, file := t.TempDir(), filepath.Join(t.TempDir(), "support.tar.gz")
	write(t, root+"/proc/sys/kernel/hostname", "node-1\n")
	write(t, root+podLog+"0.log", strings.Repeat("a line of a log\n", 40000))
	write(t, root+"/etc/kubernetes/manifests/blob.yaml", "\xff\xfe\x00")
	out := outputOf(t, "support", "--root", root, "--output-file", file)
	files := unpack(t, file)
	var manifest support.Report
	if err := json.Unmarshal([]byte(files["MANIFEST.json"]), &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest.Files) != len(files)-1 {
		t.Errorf("%d files in the manifest, %d in the archive", len(manifest.Files), len(files))
	}
	for _, f := range manifest.Files {
		if content, ok := files[f.Name]; !ok || len(content) != f.Bytes || f.Cut != strings.HasSuffix(f.Name, "0.log") {
			t.Errorf("%+v: %d bytes in the archive", f, len(content))
		}
	}
	unread := strings.Join(manifest.Unread, "\n")
	for _, want := range []string{"blob.yaml: no text", "pods: "} {
		if !strings.Contains(unread, want) {
			t.Errorf("%q is not in\n%s", want, unread)
		}
	}
	if !strings.Contains(out, "Of 1 files there is only the end") {
		t.Error(out)
	}
}

// TestSupportAnywhere: where nothing is installed, and no config can be made.
func TestSupportAnywhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "support.tar.gz")
	outputOf(t, "support", "--root", t.TempDir(), "--config", "/nosuch.yaml", "--output-file", file)
	if manifest := unpack(t, file)["MANIFEST.json"]; !strings.Contains(manifest, "config: open /nosuch.yaml") {
		t.Error(manifest)
	}
}

func TestShown(t *testing.T) {
	const secret = "cannot join: --token abcdef.0123456789abcdef"
	for _, kind := range []plan.EventKind{plan.Warning, plan.Waiting} {
		if e := shownEvent(plan.Event{Kind: kind, Message: secret}); strings.Contains(e.Message, "0123456789abcdef") {
			t.Errorf("%s: %s", kind, e.Message)
		}
	}
	if e := shownEvent(plan.Event{Kind: plan.Said, Message: secret}); e.Message != secret {
		t.Errorf("a note that was asked for: %s", e.Message)
	}
	shows := shownPod(staticpods.Pod{Problem: secret, Mirror: &staticpods.MirrorPod{Reason: secret}})
	if strings.Contains(shows.Problem+shows.Mirror.Reason, "0123456789abcdef") {
		t.Errorf("%+v, %+v", shows, shows.Mirror)
	}
	var printed strings.Builder
	printError(&printed, errors.New(secret))
	lines := errorLines(errors.New(secret))
	if strings.Contains(printed.String()+lines[0].Message, "0123456789abcdef") {
		t.Errorf("%s\n%+v", printed.String(), lines)
	}
}
