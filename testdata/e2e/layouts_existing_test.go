package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// prepareExisting gives the node a containerd, a kubelet and a network of others.
func (n *Node) prepareExisting() {
	n.t.Helper()
	n.InstallContainerd()
	n.installKubelet()
	n.Copy(filepath.Join(bundleImages(n.t), "pause.tar"), "/tmp/e2e/pause.tar")
	n.prepareSandbox()
}

// prepareSandbox gives the node the program of ./sandbox.
func (n *Node) prepareSandbox() {
	n.t.Helper()
	program := filepath.Join(n.t.TempDir(), "sandbox")
	build := exec.CommandContext(n.ctx, "go", "build", "-o", program, "./testdata/e2e/sandbox")
	build.Dir = checkout
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if r := finish(n.t, build, "go build"); r.Code != 0 {
		n.t.Fatal(r)
	}
	n.Copy(program, "/tmp/e2e/sandbox")
}

// existingRuntime is what a containerd and a kubelet of others hold.
func existingRuntime() []layout {
	return []layout{
		{
			name:   "Containerd",
			before: "true",
			proof:  "tell /usr/bin/containerd /usr/bin/runc /etc/containerd /etc/systemd/system/containerd.service; alive containerd; systemctl is-enabled containerd",
		},
		{
			name: "Kubelet",
			before: `mkdir -p /etc/systemd/system/kubelet.service.d /usr/lib/systemd/system/kubelet.service.d
				printf '[Service]\nEnvironment=CANARY=1\n' >/etc/systemd/system/kubelet.service.d/05-canary.conf
				printf '[Service]\nExecStart=\nExecStart=/usr/bin/kubelet --kubeconfig=/etc/kubernetes/kubelet.conf\n' >/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf
				systemctl daemon-reload`,
			proof: `tell /usr/bin/kubelet /usr/lib/systemd/system/kubelet.service{,.d} /etc/systemd/system/kubelet.service.d
				systemctl show -p UnitFileState,ActiveState,FragmentPath,DropInPaths kubelet`,
			gone: list("/etc/kubernetes /etc/systemd/system/kubelet.service.d/90-bootstrap.conf"),
		},
		{
			name:   "KubeletData",
			before: "plant /var/lib/kubelet/canary",
			proof:  "tell /var/lib/kubelet/canary",
			gone:   list("/var/lib/kubelet/config.yaml /var/lib/kubelet/pods"),
		},
		{
			name:   "Network",
			before: "true",
			proof:  "tell /etc/cni/net.d /opt/cni/bin",
			// What the network of others has made for the cluster's pods, and nothing else.
			remove: "ip link delete theirs0; rm -r /var/lib/cni/networks/theirs; rmdir /var/lib/cni/{networks,results,} /run/netns",
		},
		{
			name: "Images",
			before: `for ns in default k8s.io; do
					ctr -n $ns images import /tmp/e2e/pause.tar >/dev/null
					ctr -n $ns images tag $(ctr -n $ns images ls -q | grep /pause: | head -n 1) localhost/canary:1 >/dev/null
				done`,
			proof: "for ns in default k8s.io; do ctr -n $ns images ls -q | grep -v ^sha256: | sort; done",
			gone:  "ctr -n k8s.io images ls -q | grep etcd || true",
		},
		{
			name:   "ContainerInDefault",
			before: "ctr run --null-io -d localhost/canary:1 theirs",
			proof:  "ctr containers ls; ctr tasks ls",
		},
		{
			name:   "ContainerInKubernetesNamespace",
			before: "ctr -n k8s.io run --null-io -d localhost/canary:1 theirs",
			proof:  "ctr -n k8s.io containers ls | grep theirs | tr -s ' '; ctr -n k8s.io tasks ls | grep theirs | tr -s ' '",
			gone:   "ctr -n k8s.io tasks ls | grep RUNNING | grep -v -e theirs -e $(cat /tmp/e2e/sandbox.id 2>/dev/null || echo theirs) || true",
		},
		sandboxOf("SandboxWithoutKubelet"),
	}
}

// sandboxOf is a pod sandbox that no kubelet made. A kubelet that runs would remove
// it, as one of a pod that it does not know.
func sandboxOf(name string) layout {
	const task = "ctr -n k8s.io tasks ls | grep $(cat /tmp/e2e/sandbox.id) | tr -s ' '"
	return layout{
		name:   name,
		after:  "systemctl stop kubelet; /tmp/e2e/sandbox >/tmp/e2e/sandbox.id",
		proof:  task + "; grep -o 'sandboxes/.*/shm' /proc/mounts | grep $(cat /tmp/e2e/sandbox.id)",
		remove: "/tmp/e2e/sandbox $(cat /tmp/e2e/sandbox.id); systemctl stop canary.slice; rmdir /sys/fs/cgroup/*/canary.slice 2>/dev/null || true",
	}
}

// refusal is something that init refuses to touch.
type refusal struct {
	name, before, proof, remove string
	reset                       int    // its exit code
	says                        string // what reset says
}

var refusals = []refusal{
	{
		name:   "ForeignEtcdData",
		before: "plant /var/lib/etcd/member",
		proof:  "tell /var/lib/etcd",
		remove: "rm -r /var/lib/etcd",
		says:   "Nothing to undo",
	},
	{
		name:   "ForeignEtcdDisk",
		before: "ram /var/lib/etcd; plant /var/lib/etcd/member/snap",
		proof:  "tell /var/lib/etcd",
		remove: "umount /var/lib/etcd; rmdir /var/lib/etcd",
		says:   "Nothing to undo",
	},
	{
		name:   "ForeignManifest",
		before: "mkdir -p /etc/kubernetes/manifests; echo canary >/etc/kubernetes/manifests/etcd.yaml",
		proof:  "tell /etc/kubernetes",
		remove: "rm -r /etc/kubernetes",
		reset:  2,
		says:   "bootstrap reset --adopt",
	},
	{
		name:   "BridgeOfOurName",
		before: "ip link add bootstrap0 type bridge; echo 1 >/proc/sys/net/ipv6/conf/bootstrap0/disable_ipv6; ip address add 192.0.2.65/28 dev bootstrap0; ip link set bootstrap0 up",
		proof:  "link bootstrap0; ip -4 -o address show dev bootstrap0",
		remove: "ip link del bootstrap0",
		says:   "Nothing to undo",
	},
	{
		name:   "TablesOfKubeProxy",
		before: `for family in ip ip6; do nft add table $family kube-proxy; nft add chain $family kube-proxy canary "{ type filter hook input priority 5; }"; done`,
		proof:  "nft -s list ruleset | grep -A 4 kube-proxy",
		remove: "nft delete table ip kube-proxy; nft delete table ip6 kube-proxy",
		says:   "Nothing to undo",
	},
}

func (c refusal) String() string { return c.name }

// testRefused: what is not ours survives the refusal, and a reset after it.
func testRefused(t *testing.T) {
	n := Up(t, 6*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	n.Write(canaryFile, canaryShell)
	for _, c := range selected(t, refusals, refusals[1], refusals[3], refusals[4]) {
		t.Run(c.name, func(t *testing.T) { n.In(t).testRefusal(c) })
	}
}

func (n *Node) testRefusal(c refusal) {
	n.t.Helper()
	n.must(n.canary(c.before))
	defer func() { n.must(n.canary(c.remove)) }()
	was, before := n.must(n.canary(c.proof)), n.survey()

	if r := n.Bootstrap("init"); r.Code != 2 {
		n.t.Errorf("exit code of init is not 2: %s", r)
	}
	if r := n.Bootstrap("reset", "--force"); r.Code != c.reset || !r.Has(c.says) {
		n.t.Errorf("want exit code %d and %q: %s", c.reset, c.says, r)
	}
	n.SameSurvey("after reset", before)
	if r := n.canary(c.proof); r.Code != 0 || r.Out != was {
		n.t.Errorf("the canary is\n%s%swas\n%s", r.Out, r.Err, was)
	}
}
