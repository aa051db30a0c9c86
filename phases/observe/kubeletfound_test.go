package observe

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bootstrap/phases/config"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/machine"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

// machineOf is an Observer of a machine with these files; /proc among them.
func machineOf(t *testing.T, files map[string]string) *Observer {
	t.Helper()
	root := t.TempDir()
	for path, content := range files {
		file := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h, _ := hosttest.Open(t, root)
	return Open(Observer{Spec: spec.Spec{Config: &config.Config{}, Facts: machine.Facts{Hostname: "Node-1"}}, Host: h})
}

func process(args ...string) string { return strings.Join(args, "\x00") + "\x00" }

const (
	testUnit   = "/usr/lib/systemd/system/kubelet.service"
	testDropIn = "/etc/systemd/system/kubelet.service.d/10.conf"
)

// TestFindKubelet wants the directory, and what says so, of kubelets set up in every way
// that there is.
func TestFindKubelet(t *testing.T) {
	for _, tt := range []struct {
		name       string
		files      map[string]string
		path       string
		from       string
		overridden string
	}{
		{"a flag of the kubelet that runs", map[string]string{"/proc/7/cmdline": process("/usr/bin/kubelet", "--pod-manifest-path=/srv/pods", "--v=2")},
			"/srv/pods", "--pod-manifest-path of the kubelet that runs (pid 7)", ""},
		{"a flag as two words, spelt with _, the last counts", map[string]string{"/proc/7/cmdline": process("kubelet", "--pod-manifest-path=/old", "--pod_manifest_path", "/srv/pods")},
			"/srv/pods", "--pod-manifest-path of the kubelet that runs (pid 7)", ""},
		{"its config", map[string]string{
			"/proc/7/cmdline": process("kubelet", "--config=/etc/k.yaml"),
			"/etc/k.yaml":     "kind: KubeletConfiguration\nstaticPodPath: /srv/pods\n"},
			"/srv/pods", "staticPodPath in /etc/k.yaml:2", ""},
		{"its config, a path beside it", map[string]string{
			"/proc/7/cmdline": process("kubelet", "--config", "/etc/k/k.json"),
			"/etc/k/k.json":   `{"staticPodPath": "pods"}`},
			"/etc/k/pods", "staticPodPath in /etc/k/k.json:1", ""},
		{"a drop-in over the config, the last of them", map[string]string{
			"/proc/7/cmdline":     process("kubelet", "--config=/etc/k.yaml", "--config-dir=/etc/k.d"),
			"/etc/k.yaml":         "staticPodPath: /one\n",
			"/etc/k.d/20-b.conf":  "staticPodPath: /two\n",
			"/etc/k.d/30/c.conf":  "staticPodPath: /three\n",
			"/etc/k.d/40-d.conf":  "maxPods: 9\n",
			"/etc/k.d/50-no.yaml": "staticPodPath: /not-read\n"},
			"/three", "staticPodPath in /etc/k.d/30/c.conf:1", "staticPodPath in /etc/k.yaml:1 (/one); staticPodPath in /etc/k.d/20-b.conf:1 (/two)"},
		{"a drop-in takes it back", map[string]string{
			"/proc/7/cmdline":    process("kubelet", "--config=/etc/k.yaml", "--config-dir=/etc/k.d"),
			"/etc/k.yaml":        "staticPodPath: /one\n",
			"/etc/k.d/20-b.conf": "staticPodPath: null\n"},
			"", "staticPodPath in /etc/k.d/20-b.conf:1", "staticPodPath in /etc/k.yaml:1 (/one)"},
		{"a flag over the config", map[string]string{
			"/proc/7/cmdline": process("kubelet", "--pod-manifest-path=/flag", "--config=/etc/k.yaml"),
			"/etc/k.yaml":     "staticPodPath: /one\n"},
			"/flag", "--pod-manifest-path of the kubelet that runs (pid 7)", "staticPodPath in /etc/k.yaml:1 (/one)"},
		{"an environment file gave the flag to the one that runs", map[string]string{
			"/proc/7/cmdline":      process("/usr/bin/kubelet", "--pod-manifest-path=/srv/pods"),
			testUnit:               "[Service]\nEnvironmentFile=-/etc/default/kubelet\nExecStart=/usr/bin/kubelet $EXTRA\n",
			"/etc/default/kubelet": "EXTRA=--pod-manifest-path=/srv/pods\n"},
			"/srv/pods", "--pod-manifest-path of the kubelet that runs (pid 7), by EXTRA in /etc/default/kubelet", ""},
		{"none runs: an environment file of the unit", map[string]string{
			testUnit:               "[Service]\nExecStart=/usr/bin/kubelet\n",
			testDropIn:             "[Service]\nEnvironmentFile=/etc/default/kubelet\nExecStart=\nExecStart=/usr/bin/kubelet --config=/etc/k.yaml $EXTRA\n",
			"/etc/default/kubelet": "EXTRA=\"--pod-manifest-path /srv/pods\"\n",
			"/etc/k.yaml":          "maxPods: 9\n"},
			"/srv/pods", "--pod-manifest-path of kubelet.service, which does not run, by EXTRA in /etc/default/kubelet", ""},
		{"none runs: a drop-in of the unit", map[string]string{
			testUnit:   "[Service]\nExecStart=/usr/bin/kubelet\n",
			testDropIn: "[Service]\nExecStart=\nExecStart=/usr/bin/kubelet --pod-manifest-path=/srv/pods\n"},
			"/srv/pods", "--pod-manifest-path of kubelet.service, which does not run, by " + testDropIn, ""},
		{"nothing is set", map[string]string{"/proc/7/cmdline": process("kubelet", "--config=/etc/k.yaml"), "/etc/k.yaml": "maxPods: 9\n"}, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k, err := machineOf(t, tt.files).FindKubelet(t.Context())
			got := strings.Join(k.Overridden, "; ")
			if err != nil || k.StaticPodPath != tt.path || k.From != tt.from || got != tt.overridden || k.NodeName != "node-1" {
				t.Errorf("%+v, %v", k, err)
			}
		})
	}
}

func TestFindKubeletFails(t *testing.T) {
	if _, err := machineOf(t, nil).FindKubelet(t.Context()); !errors.Is(err, ErrNoKubelet) {
		t.Errorf("without a kubelet: %v", err)
	}
	for want, files := range map[string]map[string]string{
		"/etc/none.yaml": {"/proc/7/cmdline": process("kubelet", "--config=/etc/none.yaml")},
		"/etc/k.yaml":    {"/proc/7/cmdline": process("kubelet", "--config=/etc/k.yaml"), "/etc/k.yaml": "a: [\n"},
		"/etc/k.d":       {"/proc/7/cmdline": process("kubelet", "--config-dir=/etc/k.d")},
	} {
		if _, err := machineOf(t, files).FindKubelet(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestStaticPodDir: what keeps a file from being put there is said, with the remedy.
func TestStaticPodDir(t *testing.T) {
	o := machineOf(t, map[string]string{"/srv/file": "x", "/srv/pods/web.yaml": "x"})
	for _, tt := range []struct {
		name string
		k    KubeletFound
		want string
		hint string
	}{
		{"none, no config", KubeletFound{What: "the kubelet that runs (pid 7)"}, "none is set of --pod-manifest-path of the kubelet that runs (pid 7)", "--pod-manifest-path="},
		{"none in the config", KubeletFound{Read: []string{"/etc/k.yaml"}}, "staticPodPath in /etc/k.yaml", "systemctl restart kubelet"},
		{"not there", KubeletFound{StaticPodPath: "/srv/none", From: "x"}, "is not there", "mkdir -m 700 -p /srv/none"},
		{"a file", KubeletFound{StaticPodPath: "/srv/file", From: "x"}, "is a single file", "directory"},
		{"there", KubeletFound{StaticPodPath: "/srv/pods"}, "", ""},
	} {
		dir, err := tt.k.StaticPodDir(o.Host)
		if tt.want == "" {
			if err != nil || dir != tt.k.StaticPodPath {
				t.Errorf("%s: %q, %v", tt.name, dir, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(plan.HintOf(err), tt.hint) {
			t.Errorf("%s: %v (%s)", tt.name, err, plan.HintOf(err))
		}
	}
}
