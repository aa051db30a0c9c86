package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const kubeProxyOfIPTables = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
`

const ipv6Cluster = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: "%NODE%"}
`

const dualStack = `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
networking:
  podSubnet: 10.244.0.0/16,fd00:10:244::/56
  serviceSubnet: 10.96.0.0/16,fd00:10:96::/112
`

const smallRanges = `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
networking: {podSubnet: 10.20.0.0/20}
controllerManager:
  extraArgs:
  - {name: node-cidr-mask-size, value: "26"}
`

const noNetwork = `apiVersion: bootstrap/v1alpha1
kind: BoxConfiguration
network: none
`

// network is a way in which pods can be connected.
type network struct {
	name, config string
	run          func(*Node)
	clean        string // what only the user can take away
}

func (w network) String() string { return w.name }

// TestNetworks: what works with the defaults works with every other network, and goes
// with reset.
func TestNetworks(t *testing.T) {
	all := []network{
		{"IPTables", kubeProxyOfIPTables, testIPTables, ""},
		{"IPv6", ipv6Cluster, testIPv6, ""},
		{"DualStack", dualStack, testDualStack, ""},
		{"SmallRanges", smallRanges, testSmallRanges, ""},
		{"None", noNetwork, testNoNetwork, "ls /opt/cni/bin/bridge && rm -r /opt/cni /etc/cni; ip link delete own0"},
	}
	for _, w := range all {
		t.Run(w.name, func(t *testing.T) {
			n := Up(t, 6*time.Minute)
			n.Copy("bin/bootstrap-box", "/root/bootstrap")
			n.Write("/root/config.yaml", strings.ReplaceAll(w.config, "%NODE%", n.ipv6()))
			fresh := n.survey()
			w.run(n)
			n.MustReset("/root/bootstrap")
			n.MustSh(w.clean)
			n.SameSurvey("after reset", fresh)
		})
	}
}

func (n *Node) ipv6() string {
	n.t.Helper()
	return strings.TrimSpace(n.must(n.run("ip", "-6", n.Name)))
}

func (n *Node) initWithConfig() Result {
	n.t.Helper()
	return n.MustBootstrap("init", "--config", "/root/config.yaml")
}

func testIPTables(n *Node) {
	n.initWithConfig()
	testNetwork(n)
	if rules := n.MustSh("iptables-save | grep -c KUBE-SVC-"); rules == "0" {
		n.t.Error("kube-proxy writes no rules of iptables")
	}
}

// testIPv6: the node has an IPv4 address too, and nothing of the cluster uses it.
func testIPv6(n *Node) {
	n.initWithConfig()
	n.IP = n.ipv6()
	testNetwork(n)
}

func testDualStack(n *Node) {
	n.initWithConfig()
	testNetwork(n)
	n.deployWeb()
	n.MustKubectl("patch", "service", "web", "-p", `{"spec":{"ipFamilyPolicy":"RequireDualStack"}}`)
	for _, path := range []string{"service/web -o jsonpath={.spec.clusterIPs[*]}", "pods -l app=web -o jsonpath={.items[0].status.podIPs[*].ip}"} {
		ips := strings.Fields(n.MustKubectl(append([]string{"get"}, strings.Fields(path)...)...))
		if len(ips) != 2 {
			n.t.Fatalf("%s: %v", path, ips)
		}
		port := 80
		if strings.HasPrefix(path, "pods") {
			port = 8080
		}
		n.fromNode(requests(at(ips[0], port), at(ips[1], port)))
	}
	n.fromOutside(requests(at(n.IP, 30080), at(n.ipv6(), 30080)))
	n.MustKubectl("delete", "-f", "/tmp/e2e/web.yaml", "--timeout=20s")
}

// testSmallRanges: the range that init gives the first node is the one that Kubernetes does.
func testSmallRanges(n *Node) {
	n.initWithConfig()
	if conflist := n.MustExec("cat", "/etc/cni/net.d/10-bootstrap.conflist"); !strings.Contains(conflist, "10.20.0.0/26") {
		n.t.Error(conflist)
	}
	if r := n.initWithConfig(); !r.Has("Nothing to change") {
		n.t.Error(r)
	}
	testNetwork(n)
}

// ownNetwork is what a user may bring: it takes the range that the Node is given.
const ownNetwork = `{"cniVersion":"1.0.0","name":"own","plugins":[{"type":"bridge","bridge":"own0","isGateway":true,"ipMasq":true,
"ipam":{"type":"host-local","ranges":[[{"subnet":"10.244.0.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}},{"type":"portmap","capabilities":{"portMappings":true}}]}`

// testNoNetwork: init does not hang on the network that the user brings, and says
// what waits for it.
func testNoNetwork(n *Node) {
	if r := n.initWithConfig(); !r.Has("pod network: none") {
		n.t.Errorf("nothing is said of what is missing: %s", r)
	}
	n.MustSh("mkdir -p /opt/cni/bin")
	for _, plugin := range []string{"bridge", "host-local", "loopback", "portmap"} {
		n.Copy(filepath.Join(".cache/components/cni", plugin), "/opt/cni/bin/"+plugin)
	}
	n.Write("/etc/cni/net.d/10-own.conflist", ownNetwork)
	n.podsReady("-n", "kube-system")
	testNetwork(n)
	if r := n.initWithConfig(); !r.Has("left to /etc/cni/net.d/10-own.conflist") {
		n.t.Errorf("the user's network is not seen: %s", r)
	}
}
