package e2e

import (
	"errors"
	"strings"
	"time"
)

// checkPinned: no image is one that the kubelet removes when the disk is full.
func (n *Node) checkPinned() {
	n.t.Helper()
	list := strings.TrimSpace(n.MustExec("ctr", "-n", "k8s.io", "images", "ls"))
	for _, line := range strings.Split(list, "\n")[1:] { // after the heading
		if !strings.Contains(line, "io.cri-containerd.pinned=pinned") {
			n.t.Errorf("not pinned: %s", line)
		}
	}
}

// checkPods: when the API server can't start, `bootstrap pods` shows that.
func (n *Node) checkPods() {
	n.t.Helper()
	const manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"
	n.MustSh(`cp -p ` + manifest + ` /root/good.yaml; sed 's/--secure-port=/--secure-prt=/; s/^  uid: .*/  uid: broken/' /root/good.yaml >/root/bad.yaml
		mv /root/bad.yaml ` + manifest)
	n.Eventually(2*time.Minute, "the failed API server in bootstrap pods", func() error {
		r := n.Bootstrap("pods")
		for line := range strings.Lines(r.Out) {
			if strings.Contains(line, "kube-system/kube-apiserver-"+n.Name) && strings.Contains(line, " exited 1 ") {
				return nil
			}
		}
		return errors.New(r.String())
	})
	n.MustSh(`mv /root/good.yaml ` + manifest)
	n.Healthy(2 * time.Minute)
}
