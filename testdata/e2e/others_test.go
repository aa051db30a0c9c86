package e2e

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// podmanNetwork is what Debian's podman puts beside the pod network, on GitHub's runners too.
const podmanNetwork = `{"cniVersion":"0.4.0","name":"podman","plugins":[
 {"type":"bridge","bridge":"cni-podman0","isGateway":true,"ipMasq":true,"hairpinMode":true,
  "ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"}],"ranges":[[{"subnet":"10.88.0.0/16","gateway":"10.88.0.1"}]]}},
 {"type":"portmap","capabilities":{"portMappings":true}}]}
`

// TestOthers: what others have on a machine keeps its use, and takes none from the cluster.
func TestOthers(t *testing.T) {
	for name, run := range map[string]func(*Node){
		"Podman": testPodman, "OldCalico": testOldCalico, "LinkLocalResolver": testLinkLocalResolver, "Hardening": testHardening,
		"Docker": testDocker, "Router": testRouter, "VPN": testVPN, "Flushed": testFlushed,
	} {
		t.Run(name, func(t *testing.T) {
			n := Up(t, 10*time.Minute)
			n.Copy("bin/bootstrap-box", "/root/bootstrap")
			run(n)
		})
	}
}

// testPodman: the pod network comes beside podman's, which pods are never in.
func testPodman(n *Node) {
	const file = "/etc/cni/net.d/87-podman-bridge.conflist"
	n.MustSh("mkdir -p /etc/cni/net.d /usr/lib/cni")
	for _, plugin := range []string{"bridge", "host-local", "portmap"} {
		n.Copy(filepath.Join(".cache/components/cni", plugin), "/usr/lib/cni/"+plugin)
	}
	n.Write(file, podmanNetwork)
	if r := n.Bootstrap("preflight"); !r.Has(file) {
		n.t.Errorf("preflight does not name it: %s", r)
	}
	n.MustBootstrap("init")
	n.MustKubectl("-n", "kube-system", "get", "ds", "kube-flannel-ds")
	if ips := n.MustKubectl("-n", "kube-system", "get", "pods", "-l", "k8s-app=kube-dns", "-o", "jsonpath={.items[*].status.podIP}"); !strings.HasPrefix(ips, "10.244.") {
		n.t.Errorf("CoreDNS is at %s", ips)
	}
	n.MustBootstrap("status")
	n.MustReset("/root/bootstrap")
	if now := n.MustExec("cat", file); now != podmanNetwork {
		n.t.Errorf("podman's file is now\n%s", now)
	}
	n.MustSh("! ip link show cni-podman0 && ! ls /var/lib/cni/networks")
}

// testOldCalico: init does not end well while CoreDNS gets no network, and says how to get one.
func testOldCalico(n *Node) {
	n.MustSh(fault{name: "cni-config-of-old-cluster"}.script(n.t, "inject"))
	if r := n.Bootstrap("preflight"); !r.Has("cni-config-stale") || !r.Has("calico-kubeconfig, is missing") {
		n.t.Errorf("preflight: %s", r)
	}
	began := time.Now()
	if r := n.Bootstrap("init"); r.Code != 1 || !r.Has("10-calico.conflist") || !r.Has("cni-config-stale") || time.Since(began) > 3*time.Minute {
		n.t.Errorf("init after %s: %s", time.Since(began), r)
	}
	if r := n.Bootstrap("status"); r.Code == 0 || !r.Has("10-calico.conflist") || !r.Has("ClusterInformation") && !r.Has("loopback") {
		n.t.Errorf("status: %s", r)
	}
	n.MustSh("mv /etc/cni/net.d/10-calico.conflist /root/")
	n.MustBootstrap("init")
	n.podsReady("-n", "kube-system")
}

// testLinkLocalResolver: cluster DNS asks the servers that a pod can reach, and no others.
func testLinkLocalResolver(n *Node) {
	n.MustSh(fault{name: "resolver-link-local"}.script(n.t, "inject"))
	if r := n.Bootstrap("preflight"); !r.Has("fe80::53%eth0") {
		n.t.Errorf("preflight: %s", r)
	}
	n.MustBootstrap("init")
	corefile := n.MustKubectl("-n", "kube-system", "get", "cm", "coredns", "-o", "jsonpath={.data.Corefile}")
	if !strings.Contains(corefile, "forward . 10.77.0.9 ") || strings.Contains(corefile, "fe80") || strings.Contains(corefile, "resolv.conf") {
		n.t.Error(corefile)
	}
}

// testHardening: what the next boot undoes is told before it, and named after it; init mends it.
func testHardening(n *Node) {
	const hardening, libvirt = "/etc/sysctl.d/99-zz-hardening.conf", "/etc/sysctl.d/99-zz-libvirt.conf"
	n.Write(hardening, "net.ipv4.conf.all.forwarding = 0\n")
	n.Write(libvirt, "net.bridge.bridge-nf-call-iptables = 0\nnet.bridge.bridge-nf-call-ip6tables = 0\n")
	if r := n.Bootstrap("preflight"); !r.Has(hardening+" sets") || !r.Has(libvirt+" sets") {
		n.t.Errorf("preflight: %s", r)
	}
	n.MustBootstrap("init")
	n.Reboot()
	off := n.MustSh("sysctl -n net.ipv4.ip_forward")
	n.Eventually(2*time.Minute, "the cause is named", func() error {
		if r := n.Bootstrap("status"); !r.Has("forwarding-off") || !r.Has(hardening) {
			return (Result{Code: 1, Out: off + r.String()}).err()
		}
		return nil
	})
	n.MustSh("rm " + hardening + " " + libvirt)
	n.MustBootstrap("init")
	n.Healthy(time.Minute)
	n.namesNothing(90 * time.Second)
}

// testDocker: reset leaves forwarding on under a network of Docker's, and says so at its end.
func testDocker(n *Node) {
	n.MustSh("sysctl -qw net.ipv4.ip_forward=0")
	n.MustBootstrap("init")
	n.MustSh(`ip link add docker0 type bridge; ip address add 172.17.0.1/16 dev docker0; ip link set docker0 up
		nft add table ip nat; nft 'add chain ip nat DOCKER'; nft 'add chain ip nat POSTROUTING { type nat hook postrouting priority 100; }'
		nft add rule ip nat POSTROUTING ip saddr 172.17.0.0/16 masquerade`)
	if r := n.MustReset("/root/bootstrap"); !r.Has("left on: net.ipv4.ip_forward: docker0 needs it too") {
		n.t.Errorf("it is not named: %s", r)
	}
	if now := n.MustExec("sysctl", "-n", "net.ipv4.ip_forward"); strings.TrimSpace(now) != "1" {
		n.t.Errorf("ip_forward is %s", now)
	}
}

// testRouter: reset leaves forwarding on where a file of others turns it on at boot, as for a VPN.
func testRouter(n *Node) {
	const file = "/etc/sysctl.d/99-tailscale.conf"
	n.MustSh("sysctl -qw net.ipv4.ip_forward=0")
	n.MustBootstrap("init")
	n.Write(file, "net.ipv4.ip_forward = 1\n")
	if r := n.MustReset("/root/bootstrap"); !r.Has("left on: net.ipv4.ip_forward: " + file + " needs it too") {
		n.t.Errorf("it is not named: %s", r)
	}
	if now := n.MustExec("sysctl", "-n", "net.ipv4.ip_forward"); strings.TrimSpace(now) != "1" {
		n.t.Errorf("ip_forward is %s", now)
	}
}

// testVPN: what a config leaves open stays as the cluster was made, whatever has the default route by now.
func testVPN(n *Node) {
	n.Write("/root/config.yaml", kubeProxyOfIPTables)
	n.initWithConfig()
	n.MustSh(`ip link add vpn0 type veth peer name vpn1; ip address add 10.99.0.5/24 dev vpn0; ip link set vpn0 up; ip link set vpn1 up
		ip route add default via 10.99.0.1 dev vpn0 metric 1 || ip route replace default via 10.99.0.1 dev vpn0`)
	if r := n.initWithConfig(); !r.Has("Nothing to change") {
		n.t.Error(r)
	}
	if r := n.MustBootstrap("init"); !r.Has("Nothing to change") {
		n.t.Error(r)
	}
}

// testFlushed: a firewall that is flushed as soon as init has ended gets back what kube-proxy and flannel had written
// into it, though both have just started, and would write nothing more by themselves.
func testFlushed(n *Node) {
	n.MustBootstrap("init")
	n.MustSh("nft flush ruleset")
	r := n.MustBootstrap("init")
	for _, pod := range []string{"kube-proxy", "kube-flannel-ds"} {
		if !regexp.MustCompile(pod + `-\S+ is started anew: the firewall has no table`).MatchString(r.Out + r.Err) {
			n.t.Errorf("%s is not started anew: %s", pod, r)
		}
	}
	n.Healthy(time.Minute)
	n.MustReset("/root/bootstrap")
}
