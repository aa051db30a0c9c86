package diagnose

import (
	"net/netip"
	"testing"
	"time"

	"bootstrap/phases/machine"
)

// TestKubeletNotAuthorized: what was refused before the wait began was perhaps too early, and
// a pod is refused to every kubelet when it is new.
func TestKubeletNotAuthorized(t *testing.T) {
	const (
		forbidden = `I1129 11:36:40.1 csi_plugin.go:884] Failed to contact API server: csinodes.storage.k8s.io "n1" is forbidden: User "system:node:n1" cannot get resource "csinodes"`
		anonymous = `E1129 11:36:40.1 controller.go:201] "Failed to ensure lease exists, will retry" err="leases.coordination.k8s.io \"n1\" is forbidden: User \"system:anonymous\" cannot get resource \"leases\" in API group"`
		unknown   = `E1129 11:36:40.1 kubelet_node_status.go:106] "Unable to register node with API server" err="Unauthorized" node="n1"`
		newPod    = `E1129 11:36:40.1 projected.go:194] Error preparing data for projected volume kube-api-access-x for pod default/web: failed to fetch token: serviceaccounts "web" is forbidden: User "system:node:n1" cannot create resource "serviceaccounts/token" in API group "" in the namespace "default": no relationship found between node 'n1' and this object`
		newConfig = `E1129 11:36:40.1 reflector.go:204] "Failed to watch" err="failed to list *v1.ConfigMap: configmaps \"kube-proxy\" is forbidden: User \"system:node:n1\" cannot list resource \"configmaps\" in API group \"\""`
		image     = `E1129 11:36:40.1 log.go:32] "PullImage from image service failed" err="failed to authorize: unexpected status: 401 Unauthorized"`
	)
	refused := func(line string, waits time.Duration) *Evidence {
		e := podsFail(line)
		e.API = Server{Dial: Open, Status: 200}
		if waits > 0 {
			e.Waits = lookedAt.Add(-waits)
		}
		return e
	}
	for name, line := range map[string]string{"forbidden": forbidden, "anonymous": anonymous, "unknown": unknown} {
		causeTest{name: name, evidence: refused(line, 0), id: "kubelet-not-authorized", level: Warning}.run(t)
	}
	causeTest{name: "in this wait", evidence: refused(forbidden, 5*time.Second), id: "kubelet-not-authorized", level: Warning}.run(t)
	causeTest{name: "before it", evidence: refused(forbidden, time.Second/2)}.run(t)
	for name, line := range map[string]string{"new pod": newPod, "its config": newConfig, "image": image} {
		causeTest{name: name, evidence: refused(line, 0)}.run(t)
	}
}

// TestKubeletByProxy: only a request to this cluster that the kubelet of now has sent to a proxy. The same
// words stand there for pods of a URL and for other clusters, which may have to go through it.
func TestKubeletByProxy(t *testing.T) {
	const (
		own    = `E1129 11:36:40.1 kubelet_node_status.go:106] "Unable to register node with API server" err="Post \"https://10.0.0.1:6443/api/v1/nodes\": proxyconnect tcp: dial tcp 192.0.2.80:3128: i/o timeout" node="n1"`
		podURL = `E1129 11:36:40.1 file.go:1] "Failed to read pods from URL" err="Get \"https://pods.example/x\": proxyconnect tcp: dial tcp 192.0.2.80:3128: i/o timeout"`
		direct = `E1129 11:36:40.1 kubelet_node_status.go:106] "Unable to register node with API server" err="Post \"https://10.0.0.1:6443/api/v1/nodes\": dial tcp 10.0.0.1:6443: i/o timeout" node="n1"`
	)
	asks := func(lines ...string) *Evidence {
		e := podsFail(lines...)
		e.Settings.AdvertiseAddress = netip.MustParseAddr("10.0.0.1")
		e.Network = Network{Addresses: []machine.LinkAddress{{Link: "eth0", Address: e.Settings.AdvertiseAddress}}}
		return e
	}
	says := []string{"asks a proxy for the API server: proxyconnect tcp: dial tcp 192.0.2.80:3128: i/o timeout"}
	causeTest{name: "once", evidence: asks(own), id: "proxy-for-cluster", level: Warning, what: says}.run(t)
	twice := asks(own, own)
	twice.Journal[kubeletUnit][0].At = twice.Journal[kubeletUnit][0].At.Add(-5 * time.Second)
	causeTest{name: "twice", evidence: twice, id: "proxy-for-cluster", level: Error, what: says}.run(t)
	restarted := asks(own)
	restarted.Units = map[string]machine.UnitState{kubeletUnit: {Active: "active", Load: "loaded", Started: lookedAt.Add(time.Second)}}
	for name, e := range map[string]*Evidence{"pods of a URL": asks(podURL), "no proxy": asks(direct), "before it was restarted": restarted} {
		causeTest{name: name, evidence: e}.run(t)
	}
}
