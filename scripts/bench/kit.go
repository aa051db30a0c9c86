package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"bootstrap/manifests"
	"bootstrap/phases/config"
	"bootstrap/templates"
)

// scripts are what a user of kubeadm runs on a node.
//
//go:embed kit
var scripts embed.FS

// kitDir holds all that a machine with nothing needs for kubeadm; on a node it is /root/kit.
const kitDir = work + "/kit"

// programs are the folders of the kit and the components in them.
var programs = map[string][]string{
	".":   {"containerd/containerd", "containerd/containerd-shim-runc-v2", "containerd/ctr", "runc/runc", "kubernetes/kubelet", "kubernetes/kubectl", "kubeadm/kubeadm"},
	"cni": {"cni/bridge", "cni/host-local", "cni/loopback", "cni/portmap"},
}

// makeKit takes images and the runtime's configuration from a node that bootstrap has
// given them to, so that both tools start the same.
func makeKit(ctx context.Context) (err error) {
	if err := errors.Join(os.RemoveAll(kitDir), os.MkdirAll(kitDir+"/cni", 0o755)); err != nil {
		return err
	}
	for dir, files := range programs {
		for _, file := range files {
			if err := os.Link(components+file, filepath.Join(kitDir, dir, filepath.Base(file))); err != nil {
				return err
			}
		}
	}
	n, err := up(ctx, "bench-kit")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.down()) }()
	if err := (build{"bootstrap", box}).warm(ctx, n); err != nil {
		return err
	}
	if _, err := n.sh(ctx, exportImages); err != nil {
		return err
	}
	if err := command("sh", "-c", "scripts/node exec bench-kit tar c -C /root/kit . | tar x -C "+kitDir).Run(); err != nil {
		return err
	}
	return writeScripts()
}

const exportImages = `
mkdir -p /root/kit/images
cd /root/kit
cp /etc/containerd/config.toml /etc/systemd/system/containerd.service .
ctr -n k8s.io images ls -q | grep -v sha256 | while read -r image; do
	ctr -n k8s.io images export --local "images/$(basename "$image").tar" "$image"
done`

func writeScripts() error {
	files, err := scripts.ReadDir("kit")
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := scripts.ReadFile("kit/" + file.Name())
		if err != nil {
			return err
		}
		content := strings.ReplaceAll(string(data), "VERSION", config.DefaultVersion)
		if err := os.WriteFile(filepath.Join(kitDir, file.Name()), []byte(content), 0o755); err != nil {
			return err
		}
	}
	return nil
}

func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	return cmd
}

// unpackKit copies parts of the kit to a node, and the pod network's objects for it.
func (n node) unpackKit(ctx context.Context, parts ...string) error {
	pack := fmt.Sprintf("tar c -C %s %s | scripts/node exec %s tar x -C /root --one-top-level=kit", kitDir, strings.Join(parts, " "), n.name)
	if err := command("sh", "-c", pack).Run(); err != nil {
		return err
	}
	address, err := n.script(ctx, nil, "ip", n.name)
	if err != nil {
		return err
	}
	network, err := network(strings.TrimSpace(address))
	if err != nil {
		return err
	}
	return n.write(ctx, "/root/kit/network.yaml", network)
}

// network is the pod network that bootstrap applies by itself.
func network(apiServer string) (string, error) {
	conflist, err := templates.BridgeNetwork{Bridge: "bootstrap0", MTU: "${MTU}", Subnets: []string{"${SUBNET}"}}.Render()
	if err != nil {
		return "", err
	}
	addon, err := manifests.Flannel{
		Image:    config.NewImages(config.DefaultImageRepository, config.DefaultVersion).Network,
		NetConf:  `{"EnableIPv4": true, "Network": "10.244.0.0/16", "EnableNFTables": true, "Backend": {"Type": "vxlan"}}`,
		Conflist: string(conflist),
		Args:     []string{"--kube-subnet-mgr", "--ip-masq", "--iface=$(NODE_IP)"},
		Host:     apiServer,
		Port:     "6443",
	}.Objects()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, object := range append(addon.Settings, addon.Workload) {
		fmt.Fprintf(&b, "---\n%s", object)
	}
	return b.String(), nil
}
