package e2e

import (
	"strings"
	"testing"
	"time"
)

// gone is what reset removes whatever is kept.
var gone = []string{
	"/etc/kubernetes/manifests", "/etc/kubernetes/admin.conf", "/var/lib/kubelet", "/etc/systemd/system/kubelet.service", "/etc/systemd/system/kubelet.service.d",
	"/usr/local/bin/kubelet", "/usr/local/bin/kubectl", "/var/log/pods", "/var/log/containers",
}

// keepCase is a flag of reset, and a script that prints the same before reset,
// after it, and after the next init.
type keepCase struct {
	flag string
	kept string
	same string // of the cluster, before reset and after the next init
	gone []string
}

func (c keepCase) String() string { return c.flag }

const (
	pkiPaths     = "/etc/kubernetes"
	etcdPaths    = "/var/lib/etcd"
	imagePaths   = "/var/lib/containerd/io.containerd.content.v1.content"
	runtimePaths = "/usr/local/bin/containerd /usr/local/bin/runc /etc/containerd /etc/systemd/system/containerd.service"
)

var keepCases = []keepCase{
	{
		flag: "--keep-etcd",
		kept: "test -d /var/lib/etcd/member/wal && stat -c '%n %i %a %U' /var/lib/etcd/member && find /etc/kubernetes/pki -type f -exec sha256sum {} + | sort",
		same: "kubectl --kubeconfig=/etc/kubernetes/admin.conf --cache-dir=/tmp/kubectl get configmap witness -o jsonpath='{.metadata.uid} {.data}'",
		gone: strings.Fields(imagePaths + " " + runtimePaths),
	},
	{
		flag: "--keep-images",
		kept: "cd " + imagePaths + "/blobs/sha256 && ls -i | grep -q . && ls -i",
		gone: strings.Fields(etcdPaths + " " + pkiPaths + " " + runtimePaths),
	},
	{
		flag: "--keep-runtime",
		kept: "stat -c '%n %i %a %U' " + runtimePaths + " && systemctl show -P ActiveEnterTimestampMonotonic containerd && systemctl is-active containerd",
		gone: strings.Fields(etcdPaths + " " + pkiPaths),
	},
}

// TestKeep: reset keeps what it is told to and nothing else, init goes on with it,
// and a reset without the flag gives back the machine.
func TestKeep(t *testing.T) {
	n := Up(t, 10*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	for _, c := range selected(t, keepCases, keepCases[0]) {
		t.Run(c.flag, func(t *testing.T) { n.In(t).keeps(c) })
	}
}

func (n *Node) keeps(c keepCase) {
	fresh := n.survey()
	n.MustBootstrap("init")
	n.Healthy(30 * time.Second)
	n.MustKubectl("create", "configmap", "witness", "--from-literal=key="+c.flag)
	kept, same := n.MustSh(c.kept), n.sameAs(c)

	n.MustBootstrap("reset", "--force", c.flag)
	if now := n.Sh(c.kept); now.Out != kept {
		n.t.Errorf("after reset: %s\nwas\n%s", now, kept)
	}
	if r := n.Exec(append(append([]string{"ls", "-d"}, gone...), c.gone...)...); r.Out != "" {
		n.t.Errorf("left:\n%s", r.Out)
	}
	n.MustBootstrap("init")
	n.Healthy(30 * time.Second)
	if now := n.Sh(c.kept); now.Out != kept {
		n.t.Errorf("after init: %s\nwas\n%s", now, kept)
	}
	if now := n.sameAs(c); now != same {
		n.t.Errorf("the cluster has %q, had %q", now, same)
	}
	n.MustReset("/root/bootstrap")
	n.SameSurvey("after reset", fresh)
}

func (n *Node) sameAs(c keepCase) string {
	n.t.Helper()
	if c.same == "" {
		return ""
	}
	return n.MustSh(c.same)
}
