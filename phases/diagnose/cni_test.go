package diagnose

import "testing"

const (
	unauthorized = `failed to setup network for sandbox "cb5387f2": plugin type="calico" failed (add): error getting ClusterInformation: connection is unauthorized: Unauthorized`
	noAgent      = `failed to setup network for sandbox "cb5387f2": plugin type="cilium-cni" name="cilium" failed (add): unable to connect to Cilium agent: dial unix /var/run/cilium/cilium.sock: connect: no such file or directory`
)

func podLeftTo(cni CNI, texts ...string) *Evidence {
	e := podsFail(texts...)
	e.CNI = cni
	return e
}

// TestStaleNetwork: what fails like the network of another cluster, and is none, keeps its own cause: a network of this
// cluster that is refused for a while, one that waits for its daemon, a plugin of ours, a network that works.
func TestStaleNetwork(t *testing.T) {
	stale := CNI{Left: "/etc/cni/net.d/10-calico.conflist", Stale: "the kubeconfig that it names, /x, is missing"}
	for _, c := range []causeTest{
		{"of another cluster", podLeftTo(stale, corednsSandbox(unauthorized)), "cni-config-stale", Error,
			[]string{"kube-system/coredns-", "10-calico.conflist", "/x, is missing", "the plugin calico says: error getting ClusterInformation"}},
		{"refused, of this cluster", podLeftTo(CNI{Left: stale.Left}, corednsSandbox(unauthorized)), "pod-not-created", Warning, []string{"ClusterInformation"}},
		{"its daemon is about to start", podLeftTo(CNI{Left: "/etc/cni/net.d/05-cilium.conflist"}, corednsSandbox(noAgent)), "pod-not-created", Warning, []string{"Cilium agent"}},
		{"our own plugin fails", podLeftTo(CNI{Others: []CNIFile{{Path: "/y"}}}, corednsSandbox(`plugin type="bridge" name="bootstrap" failed (add): no such luck`)), "pod-not-created", Warning, nil},
		{"our own plugin fails, beside a file of another cluster", podLeftTo(stale, corednsSandbox(`plugin type="bridge" name="bootstrap" failed (add): no such luck`)), "pod-not-created", Warning, nil},
		{"no plugin failed", podLeftTo(stale, corednsSandbox(runcGone)), "runc-missing", Warning, nil},
		{name: "it works all the same", evidence: podLeftTo(stale)},
	} {
		t.Run(c.name, c.run)
	}
}

// TestForwardingOff: it may be why, and what has a cause of its own goes before.
func TestForwardingOff(t *testing.T) {
	off := func(e *Evidence, names ...string) *Evidence {
		e.Limits.ForwardingOff, e.Addons = names, true
		e.Limits.ForwardingUndone = []string{"/etc/sysctl.d/99-zz.conf sets net.ipv4.conf.all.forwarding = 0"}
		return e
	}
	before := off(podsFail(), "net.ipv4.ip_forward")
	before.Addons = false
	for _, c := range []causeTest{
		{name: "what is waited for needs none", evidence: before},
		{"at a boot", off(podsFail(), "net.ipv4.ip_forward"), "forwarding-off", Warning,
			[]string{"packets of pods are lost: net.ipv4.ip_forward; at boot, /etc/sysctl.d/99-zz.conf sets net.ipv4.conf.all.forwarding = 0"}},
		{"by hand", off(podsFail(), "net.bridge.bridge-nf-call-iptables"), "forwarding-off", Warning, []string{"lost: net.bridge.bridge-nf-call-iptables"}},
		{"an image is missing", off(podsFail(corednsSandbox(pauseGone)), "net.ipv4.ip_forward"), "pause-image-missing", Warning, nil},
		{name: "only at the next boot", evidence: off(podsFail())},
	} {
		t.Run(c.name, c.run)
	}
}
