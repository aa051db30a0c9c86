package e2e

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// debUnit is a kubelet.service as distributions ship it.
const debUnit = `[Unit]
Description=kubelet: The Kubernetes Node Agent
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
`

const theirNetwork = `{"cniVersion": "1.0.0", "name": "theirs", "plugins": [{"type": "bridge", "bridge": "theirs0",
"isDefaultGateway": true, "ipMasq": true, "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]]}}]}
`

const registryConfig = `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
imageRepository: localhost:5000
`

func TestWithoutBundle(t *testing.T) {
	n := Up(t, 5*time.Minute)
	n.Copy("bin/bootstrap", "/root/bootstrap")
	n.refused(n.survey(), []string{"/root/bootstrap", "init"}, []string{
		"no container runtime on this machine, and no bundle", "no kubelet on this machine, and no bundle", "--bundle",
	})

	n.InstallContainerd()
	n.refused(n.survey(), []string{"/root/bootstrap", "init"}, []string{"no kubelet on this machine", "install kubelet v1."})

	n.installKubelet()
	n.startRegistry()
	n.Write("/root/config.yaml", registryConfig)
	watched := slices.Concat(theirs, []string{"/usr/bin/kubelet", "/usr/lib/systemd/system/kubelet.service", "/etc/cni/net.d/10-theirs.conflist", "/opt/cni/bin/bridge"})
	files, since := n.state(watched), n.activeSince("containerd")

	run := n.MustBootstrap("init", "--config", "/root/config.yaml", "--timeout", "120s")
	for _, text := range []string{
		"it is there already, and stays as it is", "/usr/bin/kubelet: it is installed already",
		"/etc/cni/net.d/10-theirs.conflist, which is there already",
	} {
		if !run.Has(text) {
			t.Errorf("not told: %q in %s", text, run)
		}
	}
	n.Healthy(30 * time.Second)
	if image := n.manifest("etcd").Spec.Containers[0].Image; !strings.HasPrefix(image, "localhost:5000/") {
		t.Errorf("etcd's image is %s", image)
	}
	if answer := n.MustExec("curl", "-sS", "http://localhost:5000/parallel"); answer != "true\n" {
		t.Errorf("images pulled side by side: %s", answer)
	}
	n.MustBootstrap("reset", "--force")
	if left := n.MustExec("ctr", "-n", "k8s.io", "images", "ls", "-q") + n.MustExec("ctr", "-n", "k8s.io", "content", "ls", "-q"); left != "" {
		t.Errorf("of images that were pulled, reset leaves:\n%s", left)
	}
	if now := n.state(watched); now != files {
		t.Errorf("the machine's own files are\n%swere\n%s", now, files)
	}
	if now := n.activeSince("containerd"); now != since {
		t.Error("containerd was restarted")
	}
}

// installKubelet installs what a package of the kubelet would, a network, and
// kubectl for the tests.
func (n *Node) installKubelet() {
	n.t.Helper()
	n.Copy(".cache/components/kubernetes/kubelet", "/usr/bin/kubelet")
	n.Copy(".cache/components/kubernetes/kubectl", "/usr/local/bin/kubectl")
	n.MustExec("mkdir", "-p", "/opt/cni/bin")
	for _, plugin := range []string{"bridge", "host-local", "loopback", "portmap"} {
		n.Copy(".cache/components/cni/"+plugin, "/opt/cni/bin/"+plugin)
	}
	n.Write("/etc/cni/net.d/10-theirs.conflist", theirNetwork)
	n.Write("/usr/lib/systemd/system/kubelet.service", debUnit)
	n.MustExec("systemctl", "daemon-reload")
}

// startRegistry serves the bundle's images on the node's loopback.
func (n *Node) startRegistry() {
	n.t.Helper()
	dir := n.t.TempDir()
	build := exec.CommandContext(n.ctx, "go", "build", "-o", filepath.Join(dir, "registry"), "./testdata/e2e/registry")
	build.Dir = checkout
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if r := finish(n.t, build, "go build"); r.Code != 0 {
		n.t.Fatal(r)
	}
	n.Copy(filepath.Join(dir, "registry"), "/root/registry")
	command := []string{"systemd-run", "-q", "--unit=registry", "/root/registry"}
	images := bundleImages(n.t)
	for _, image := range pulled {
		n.Copy(filepath.Join(images, image+".tar"), "/root/"+image+".tar")
		command = append(command, "/root/"+image+".tar")
	}
	n.MustExec(command...)
	n.Eventually(20*time.Second, "registry", func() error {
		return n.Exec("curl", "-sS", "-f", "http://localhost:5000/v2/").err()
	})
}

// pulled are the images of a cluster whose pod network is another one.
var pulled = append([]string{"pause", "coredns", "kube-proxy"}, components...)

// bundleImages unpacks those out of the bundle.
func bundleImages(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "images")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path(".cache/bundle.tar.zst"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(h.Name), ".tar")
		if filepath.Dir(h.Name) != "images" || !slices.Contains(pulled, name) {
			continue
		}
		if err := save(filepath.Join(dir, name+".tar"), r); err != nil {
			t.Fatal(err)
		}
	}
}

func save(file string, r io.Reader) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
