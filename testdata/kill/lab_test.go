package kill

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// lab is a directory in memory with the executable under test, and a root directory
// for each machine that is played.
type lab struct {
	dir       string
	bootstrap string
	roots     atomic.Int64
}

// checkout is the folder of go.mod.
func checkout() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// newLab works on a copy of bin/bootstrap: another build may replace it meanwhile.
func newLab(t *testing.T) *lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("not root, and files of other owners need it")
	}
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatalf("%v: run `make needs` first", err)
	}
	binary, err := os.ReadFile(cmp.Or(*executable, filepath.Join(checkout(), "bin/bootstrap")))
	if err != nil {
		t.Fatalf("%v: run `make build` first", err)
	}
	t.Setenv("SUDO_UID", strconv.Itoa(ann)) // she gets a kubeconfig, and so does root
	l := &lab{dir: memoryDir(t)}
	l.bootstrap = filepath.Join(l.dir, "bootstrap")
	if err := os.WriteFile(l.bootstrap, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range configs() {
		if err := os.WriteFile(l.config(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// memoryDir is on a tmpfs where there is one: thousands of fsyncs cost nothing there.
func memoryDir(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat("/dev/shm"); err != nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("/dev/shm", "bootstrap-kill-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (l *lab) config(name string) string { return filepath.Join(l.dir, name+".yaml") }

// machine makes a root directory that holds the tree.
func (l *lab) machine(t tree) (root string, err error) {
	root = filepath.Join(l.dir, strconv.FormatInt(l.roots.Add(1), 10))
	if err := t.write(root); err != nil {
		return "", fmt.Errorf("copy of a tree: %w", err)
	}
	return root, nil
}

// line is bootstrap with these arguments, on the machine at root.
func (l *lab) line(root string, args []string) []string {
	return slices.Concat([]string{l.bootstrap}, args, []string{"--root", root})
}

// must runs bootstrap and wants it to end well.
func (l *lab) must(root string, args []string) error {
	got, err := execute(l.line(root, args))
	if err != nil {
		return err
	}
	if got.code != 0 {
		return fmt.Errorf("%s: exit code %d: %s", strings.Join(args, " "), got.code, strings.TrimSpace(got.stderr))
	}
	return nil
}

func reset() []string { return []string{"reset", "--force"} }

// initPhases are the phases that only write files, in the order of init.
func (l *lab) initPhases(config string) [][]string {
	var lines [][]string
	for _, phase := range []string{"certs", "kubeconfig", "etcd", "control-plane", "write-kubeconfig"} {
		lines = append(lines, []string{"init", "phase", phase, "--config", l.config(config)})
	}
	return lines
}

// configs are of the same cluster: "changed" has other certificates and manifests.
func configs() map[string]string {
	const cluster = `apiVersion: bootstrap/v1alpha1
kind: BoxConfiguration
writeKubeconfig: true
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint:
  advertiseAddress: 192.0.2.10
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
encryptionAlgorithm: ECDSA-P256
`
	return map[string]string{
		"cluster":   cluster,
		"elsewhere": cluster + "etcd:\n  local:\n    dataDir: /srv/data/etcd\n",
		"changed": cluster + `apiServer:
  certSANs: [api.example.com]
  extraArgs: [{name: v, value: "4"}]
controllerManager:
  extraArgs: [{name: v, value: "4"}]
scheduler:
  extraArgs: [{name: v, value: "4"}]
etcd:
  local:
    serverCertSANs: [etcd.example.com]
    extraArgs: [{name: log-level, value: debug}]
`,
	}
}
