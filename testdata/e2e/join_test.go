package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// joinConfig: other nodes get the kubelet's settings from the cluster, so it has to
// say what bootstrap finds out by itself about the test nodes.
const joinConfig = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens:
- token: abcdef.0123456789abcdef
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
featureGates:
  KubeletInUserNamespace: true
`

// kubeletUnit is a kubelet as packages install it for kubeadm.
const kubeletUnit = `[Service]
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=/usr/local/bin/kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS
Restart=always
RestartSec=1
[Install]
WantedBy=multi-user.target
`

// TestJoin: Kubernetes' own tools take our control plane for one of kubeadm's. Its
// subtests go on with the same two nodes, in this order.
func TestJoin(t *testing.T) {
	a, b := Up(t, 9*time.Minute), Up(t, 9*time.Minute)
	for _, n := range []*Node{a, b} {
		n.Copy("bin/bootstrap-box", "/root/bootstrap")
		n.Copy(".cache/components/kubeadm/kubeadm", "/usr/local/bin/kubeadm")
	}
	a.Write("/root/init.yaml", joinConfig)
	a.MustBootstrap("init", "--config", "/root/init.yaml")
	// Apart, as they are encrypted anew each time.
	a.MustBootstrap("init", "phase", "upload-certs", "--config", "/root/init.yaml", "--upload-certs")
	b.joinByKubeadm(a)

	for _, each := range []struct {
		name string
		run  func(a *Node, b *Node)
	}{
		{"Traffic", testTraffic},
		{"Kubeadm", func(a, _ *Node) { testKubeadm(a) }},
		{"E2EKubeadm", func(a, _ *Node) { testE2EKubeadm(a) }},
		{"InitAgain", func(a, _ *Node) { testInitAgain(a) }},
	} {
		t.Run(each.name, func(t *testing.T) { each.run(a.In(t), b) })
	}
}

// joinByKubeadm makes a machine with a runtime and images, but no network of its own,
// a worker.
func (n *Node) joinByKubeadm(a *Node) {
	n.t.Helper()
	for _, phase := range []string{"runtime", "images", "addon-images"} {
		n.MustBootstrap("init", "phase", phase)
	}
	n.MustSh("rm -r /etc/cni/net.d/* /opt/cni/bin; mkdir -p /etc/kubernetes/manifests")
	n.Copy(".cache/components/kubernetes/kubelet", "/usr/local/bin/kubelet")
	n.Write("/etc/systemd/system/kubelet.service", kubeletUnit)
	n.MustSh("systemctl daemon-reload; systemctl enable kubelet")
	command := strings.TrimSpace(a.MustBootstrap("token", "create", "--print-join-command").Out)
	// SystemVerification: the test nodes have cgroup version 1.
	n.MustSh(command + " --ignore-preflight-errors=SystemVerification")
	a.Eventually(time.Minute, "second node is ready", func() error {
		joined, err := get[node](a, "node", n.Name)
		if err != nil {
			return err
		}
		return isTrue(joined.Status.Conditions, "Ready")
	})
	a.podsReady("-n", "kube-system")
}

func testTraffic(a, b *Node) {
	a.deployWeb()
	onA, onB := a.webOn(a.Name), a.webOn(b.Name)
	if len(onA) != 1 || len(onB) != 1 {
		a.t.Fatalf("pods are not spread: %v, %v", onA, onB)
	}
	for _, each := range []struct {
		from, to       *Node
		fromPod, toPod string
	}{
		{a, b, onA[0], onB[0]},
		{b, a, onB[0], onA[0]},
	} {
		far := append(each.to.published(), "http://"+each.toPod+":8080/health")
		each.from.fromPod(each.fromPod, requests(append(far, a.named()...)...)+fullPacket(each.toPod))
		each.from.fromNode(requests(append(far, "http://"+a.clusterIP("web")+"/health")...))
		a.fromOutside(requests(each.to.published()...))
		a.checkKubeletPaths(each.to.Name)
	}
	a.MustKubectl("delete", "-f", "/tmp/e2e/web.yaml", "--timeout=20s")
}

// testKubeadm: the commands that only look have no complaint. Without a way out,
// upgrade plan warns that it takes its own version for the newest.
func testKubeadm(n *Node) {
	for _, args := range [][]string{
		{"certs", "check-expiration"},
		{"token", "list"},
		{"upgrade", "plan"},
	} {
		n.t.Run(strings.Join(args, " "), func(t *testing.T) {
			n := n.In(t)
			r := n.Exec(append([]string{"kubeadm"}, args...)...)
			n.must(r)
			t.Log(r)
			if r.Has("lacks annotation") {
				t.Error("it has to guess the container runtime's socket")
			}
		})
	}
}

// spec is what Ginkgo reports of one.
type spec struct {
	ContainerHierarchyTexts []string
	LeafNodeType            string
	LeafNodeText            string
	State                   string
	Failure                 struct{ Message string }
}

// skipped are the specs that do not apply to a cluster with IPv4 alone, and why.
var skipped = map[string]string{
	"dual-stack podSubnet should be properly configured if specified in kubeadm-config": "Skipping because cluster is not dual-stack",
}

// testE2EKubeadm runs Kubernetes' own suite for clusters that kubeadm made.
func testE2EKubeadm(n *Node) {
	n.Copy(".cache/components/kubeadm/e2e_kubeadm.test", "/root/e2e_kubeadm.test")
	r := n.Exec("/root/e2e_kubeadm.test", "--kubeconfig=/etc/kubernetes/admin.conf", "--ginkgo.no-color", "--ginkgo.json-report=/root/report.json")
	if r.Code != 0 {
		n.t.Error(r)
	}
	var suites []struct{ SpecReports []spec }
	if err := json.Unmarshal([]byte(n.MustExec("cat", "/root/report.json")), &suites); err != nil || len(suites) != 1 {
		n.t.Fatalf("%d suites: %v", len(suites), err)
	}
	states, reasons := map[string]int{}, map[string]string{}
	for _, s := range suites[0].SpecReports {
		if s.LeafNodeType != "It" {
			continue
		}
		states[s.State]++
		if s.State == "skipped" {
			name := append(s.ContainerHierarchyTexts[1:], s.LeafNodeText)
			reasons[strings.Join(name, " ")] = s.Failure.Message
		}
	}
	n.t.Logf("e2e_kubeadm: %d passed, %d failed, %d skipped: %v", states["passed"], states["failed"], states["skipped"], reasons)
	if diff := cmp.Diff(skipped, reasons); diff != "" || states["passed"] < 30 {
		n.t.Errorf("specs by state: %v, skipped (-want +got):\n%s", states, diff)
	}
}

// testInitAgain: what is applied a second time changes nothing.
func testInitAgain(n *Node) {
	before := n.managed()
	if len(before) < 30 {
		n.t.Errorf("bootstrap manages only %d objects: %v", len(before), before)
	}
	n.MustBootstrap("init", "--config", "/root/init.yaml")
	if diff := cmp.Diff(before, n.managed()); diff != "" {
		n.t.Errorf("changed by a second init (-before +after):\n%s", diff)
	}
	n.t.Logf("%d objects are as they were", len(before))
}
