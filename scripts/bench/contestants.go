package main

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// contestant is one way to make a control plane. Each round gives it a node of its own.
type contestant struct {
	name    string
	prepare func(context.Context, node) error
	run     func(context.Context, node) (seen, error)
	after   func(context.Context, node, figures) error // more, of the same node; may be nil
}

// figures are what was measured in one round, by name.
type figures map[string]float64

// contestants are measured in this order in each round. before is the box of another build of
// bootstrap, measured right beside this one's, or empty.
func contestants(before string) []contestant {
	all := []contestant{
		{"kubeadm warm", prepareKubeadm, runKubeadm("/root/kit/init.sh"), afterKubeadm},
		{"floor", prepareFloor, runFloor, nil},
		{"kubeadm bare", func(ctx context.Context, n node) error { return n.unpackKit(ctx, ".") }, runKubeadm("/root/kit/bare.sh"), func(ctx context.Context, n node, f figures) error { return n.takes(ctx, f) }},
	}
	warmed := func(b build) contestant {
		return contestant{b.name + " warm", b.warm, runBootstrap, afterBootstrap("--keep-runtime")}
	}
	bare := func(b build) contestant { return contestant{b.name + " bare", b.copy, runBootstrap, afterBootstrap()} }
	this, other := build{"bootstrap", box}, build{"before", before}
	all = append(all, warmed(this))
	if before != "" {
		all = append(all, warmed(other), bare(other))
	}
	return append(all, bare(this))
}

// build is a build of bootstrap, in one file with its bundle.
type build struct{ name, box string }

func (b build) copy(ctx context.Context, n node) error { return n.copy(ctx, b.box, "/root/bootstrap") }

// warm: the runtime runs, the images are there, and what Kubernetes' packages install.
func (b build) warm(ctx context.Context, n node) error {
	if err := b.copy(ctx, n); err != nil {
		return err
	}
	if _, err := n.sh(ctx, "for phase in runtime images addon-images; do /root/bootstrap init phase $phase >/dev/null; done"); err != nil {
		return err
	}
	return n.copyPrograms(ctx, "kubernetes/kubelet", "kubernetes/kubectl")
}

func (n node) copyPrograms(ctx context.Context, files ...string) error {
	for _, file := range files {
		if err := n.copy(ctx, components+file, "/usr/local/bin/"); err != nil {
			return err
		}
	}
	return nil
}

func prepareKubeadm(ctx context.Context, n node) error {
	if err := (build{"bootstrap", box}).warm(ctx, n); err != nil {
		return err
	}
	if err := n.copyPrograms(ctx, "kubeadm/kubeadm"); err != nil {
		return err
	}
	if err := n.unpackKit(ctx, "init.sh", "kubelet.sh", "kubeadm.yaml"); err != nil {
		return err
	}
	_, err := n.sh(ctx, "sh /root/kit/kubelet.sh; echo 1 >/proc/sys/net/ipv4/ip_forward")
	return err
}

// runKubeadm brings the pod network as soon as kubeadm has returned, as its users do.
func runKubeadm(script string) func(context.Context, node) (seen, error) {
	const then = "kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f /root/kit/network.yaml"
	return func(ctx context.Context, n node) (seen, error) {
		return n.observe(ctx, []string{"-until", "cluster", "-then", then}, "sh", script)
	}
}

func afterKubeadm(ctx context.Context, n node, f figures) error {
	if err := n.takes(ctx, f); err != nil {
		return err
	}
	s, err := n.observe(ctx, nil, "kubeadm", "reset", "--force")
	f["reset"] = s.Seconds["returned"]
	return err
}

func runBootstrap(ctx context.Context, n node) (seen, error) {
	s, err := n.observe(ctx, []string{"-until", "cluster"}, "sh", "-c", "exec /root/bootstrap init -o json >"+initEvents)
	if err == nil {
		s.trace, err = n.trace(ctx, s)
	}
	return s, err
}

// afterBootstrap measures what comes next in the life of a cluster. Reset begins where
// init did: a runtime that was there stays, as with kubeadm, which leaves it anyway.
func afterBootstrap(resetFlags ...string) func(context.Context, node, figures) error {
	return func(ctx context.Context, n node, f figures) error {
		if err := n.takes(ctx, f); err != nil {
			return err
		}
		for _, each := range []struct {
			figure string
			args   []string
		}{
			{"init again", []string{"init"}},
			{"version", []string{"version"}},
			{"reset", append([]string{"reset", "--force"}, resetFlags...)},
		} {
			s, err := n.observe(ctx, nil, append([]string{"/root/bootstrap"}, each.args...)...)
			if err != nil {
				return err
			}
			f[each.figure] = s.Seconds["returned"]
		}
		return nil
	}
}

// takes measures what the cluster takes of the machine: memory, where pages that
// processes share count once, and the disk.
func (n node) takes(ctx context.Context, f figures) error {
	out, err := n.sh(ctx, `cat $(grep -lE '^(etcd|kube|containerd|flanneld|coredns|pause)' /proc/[0-9]*/comm | sed s/comm/smaps_rollup/) | awk '/^Pss:/ { sum += $2 } END { print sum / 1024 }'`)
	if err != nil {
		return err
	}
	disk, err := n.sh(ctx, "du -scxm /usr/local/bin /opt/cni/bin /var/lib/containerd /var/lib/etcd /var/lib/kubelet /etc/kubernetes | tail -n 1")
	if err != nil {
		return err
	}
	var memory, installed float64
	_, err = fmt.Sscan(out+disk, &memory, &installed)
	f["cluster MiB"], f["installed MiB"] = memory, installed
	return err
}

// prepareFloor has bootstrap write the files that the bare processes need.
func prepareFloor(ctx context.Context, n node) error {
	if err := (build{"bootstrap", box}).copy(ctx, n); err != nil {
		return err
	}
	if _, err := n.sh(ctx, "for phase in certs kubeconfig etcd control-plane; do /root/bootstrap init phase $phase >/dev/null; done"); err != nil {
		return err
	}
	return n.copyPrograms(ctx, "etcd/etcd", "kubernetes/kube-apiserver")
}

// runFloor starts both at once: the API server knows how to wait for etcd.
func runFloor(ctx context.Context, n node) (seen, error) {
	var script strings.Builder
	for _, name := range []string{"etcd", "kube-apiserver"} {
		line, err := n.commandOf(ctx, name)
		if err != nil {
			return seen{}, err
		}
		fmt.Fprintf(&script, "%s >/root/%s.log 2>&1 &\n", line, name)
	}
	script.WriteString("wait\n")
	return n.observe(ctx, []string{"-until", "api"}, "bash", "-c", script.String())
}

// commandOf is the command line of a static pod, for a shell.
func (n node) commandOf(ctx context.Context, component string) (string, error) {
	manifest, err := n.exec(ctx, "cat", "/etc/kubernetes/manifests/"+component+".yaml")
	if err != nil {
		return "", err
	}
	var pod corev1.Pod
	if err := yaml.Unmarshal([]byte(manifest), &pod); err != nil {
		return "", err
	}
	var words []string
	for _, word := range pod.Spec.Containers[0].Command {
		words = append(words, "'"+strings.ReplaceAll(word, "'", `'\''`)+"'")
	}
	return strings.Join(words, " "), nil
}
