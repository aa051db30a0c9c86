package observe

import (
	"slices"
	"strings"
	"testing"

	"bootstrap/phases/config"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/pki"
	"bootstrap/phases/spec"
)

// CNI configurations as programs write them.
const (
	podmanCNI = `{"cniVersion":"0.4.0","name":"podman","plugins":[{"type":"bridge","bridge":"cni-podman0","isGateway":true,"ipMasq":true,"hairpinMode":true,
		"ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"}],"ranges":[[{"subnet":"10.88.0.0/16","gateway":"10.88.0.1"}]]}},
		{"type":"portmap","capabilities":{"portMappings":true}},{"type":"firewall"},{"type":"tuning"}]}`
	crioCNI = `{"cniVersion":"0.3.1","name":"crio","type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":true,"hairpinMode":true,
		"ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"},{"dst":"1100:200::1/24"}],"ranges":[[{"subnet":"10.85.0.0/16"}],[{"subnet":"1100:200::/24"}]]}}`
	oldBridgeCNI = `{"cniVersion":"0.2.0","name":"mynet","type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":true,"ipam":{"type":"host-local","subnet":"%s"}}`
	nerdctlCNI   = `{"cniVersion":"1.0.0","name":"bridge","nerdctlID":"17f29b073143","nerdctlLabels":{},"plugins":[{"type":"bridge","bridge":"nerdctl0",
		"ipam":{"ranges":[[{"gateway":"10.4.0.1","subnet":"10.4.0.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}],"type":"host-local"}},{"type":"portmap"}]}`
	calicoCNI = `{"name":"k8s-pod-network","cniVersion":"0.3.1","plugins":[{"type":"calico","datastore_type":"kubernetes","nodename":"old-1","ipam":{"type":"calico-ipam"},
		"kubernetes":{"kubeconfig":"/etc/cni/net.d/calico-kubeconfig"}},{"type":"portmap","snat":true,"capabilities":{"portMappings":true}}]}`
	flannelCNI = `{"name":"cbr0","cniVersion":"0.3.1","plugins":[{"type":"flannel","delegate":{"hairpinMode":true,"isDefaultGateway":true}},{"type":"portmap"}]}`
	multusCNI  = `{"cniVersion":"0.3.1","name":"multus-cni-network","type":"multus","kubeconfig":"/etc/cni/net.d/multus.d/multus.kubeconfig","delegates":[{"type":"flannel"}]}`
)

// TestForeignNetwork: a network is left to others only if it may be a cluster's.
func TestForeignNetwork(t *testing.T) {
	for name, c := range map[string]struct {
		text     string
		clusters bool
	}{
		"87-podman-bridge.conflist":    {podmanCNI, false},
		"100-crio-bridge.conf":         {crioCNI, false},
		"10-crio-bridge.conflist":      {`{"name":"crio","plugins":[` + crioCNI + `]}`, false},
		"nerdctl-bridge.conflist":      {nerdctlCNI, false},
		"10-containerd-net.conflist":   {strings.ReplaceAll(podmanCNI, "cni-podman0", "cni0"), false},
		"99-loopback.conf":             {`{"cniVersion":"0.2.0","name":"lo","type":"loopback"}`, false},
		"10-mynet.conf":                {strings.ReplaceAll(oldBridgeCNI, "%s", "10.22.0.0/16"), false},
		"10-bridge.conf":               {strings.ReplaceAll(oldBridgeCNI, "%s", "10.244.0.0/24"), true}, // in the pod range: meant for it
		"10-calico.conflist":           {calicoCNI, true},
		"10-flannel.conflist":          {flannelCNI, true},
		"00-multus.conf":               {multusCNI, true},
		"05-cilium.conflist":           {`{"cniVersion":"0.3.1","name":"cilium","plugins":[{"type":"cilium-cni","enable-debug":false}]}`, true},
		"10-kuberouter.conflist":       {`{"name":"kubernetes","plugins":[{"type":"bridge","bridge":"kube-bridge","ipam":{"type":"host-local"}}]}`, true}, // its daemon adds the range
		"10-damaged.conflist":          {`{"name": `, false},
		"87-podman.conflist.disabled":  {calicoCNI, false}, // runtimes pass over these
		"05-cilium.conf.bak":           {calicoCNI, false},
		".10-bootstrap.conflist":       {calicoCNI, false},
		"calico-kubeconfig":            {calicoCNI, false},
		"10-bootstrap.conflist":        {calicoCNI, false}, // ours
		"1-k8s.conflist.mk_disabled":   {calicoCNI, false},
		"11-podman-in-range.conflist":  {strings.ReplaceAll(podmanCNI, "10.88.", "10.244."), true},
		"200-loopback-and-bridge.conf": {`{"name":"x","plugins":[{"type":"loopback"}]}`, false},
	} {
		o := testObserver(t, "default")
		hosttest.Put(t, o.Host, "/etc/cni/net.d/"+name, c.text, 0o600)
		if got := reopen(o).Choices.Network.Foreign; (got != "") != c.clusters {
			t.Errorf("%s: %q, want one of a cluster's: %t", name, got, c.clusters)
		}
	}
}

func lookedAtCNI(t *testing.T, o *Observer) diagnose.CNI {
	t.Helper()
	fill, err := reopen(o).lookAtCNI(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var m diagnose.Machine
	fill(&m)
	return m.CNI
}

// TestLookAtCNI: another program's network stays beside the pod network, unless runtimes would take it.
func TestLookAtCNI(t *testing.T) {
	o := testObserver(t, "default")
	if _, err := o.Host.WriteFile(spec.NetworkFile, []byte("{}"), 0o600); err != nil { // there is no bundle: it is ours by this
		t.Fatal(err)
	}
	hosttest.Put(t, o.Host, "/etc/cni/net.d/87-podman-bridge.conflist", podmanCNI, 0o600)
	hosttest.Put(t, o.Host, "/etc/cni/net.d/09-crio.conf", crioCNI, 0o600)
	got := lookedAtCNI(t, o)
	if len(got.Others) != 2 || !got.Others[0].First || got.Others[1].First || got.Left != "" || got.Others[1].What != "podman [10.88.0.0/16]" {
		t.Errorf("%+v", got)
	}
	hosttest.Put(t, o.Host, "/etc/cni/net.d/10-flannel.conflist", flannelCNI, 0o600)
	if got := lookedAtCNI(t, o); len(got.Others) != 2 || !got.Others[0].First || got.Stale != "its plugin, flannel, needs a daemon that does not run yet" {
		t.Errorf("%+v", got)
	}
	hosttest.Put(t, o.Host, "/etc/cni/net.d/10-flannel.conflist", flannelCNI, 0o600)
	o.Config.Box.Network = config.NoNetwork // its daemon is about to be installed
	if got := lookedAtCNI(t, o); got.Left == "" || got.Stale != "" {
		t.Errorf("with a network of the user's: %+v", got)
	}
	o.Config.Box.Network = config.Flannel
	if _, err := o.Host.WriteFile(spec.KubeletDropIn, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := lookedAtCNI(t, o); len(got.Others) != 1 || got.Stale != "" { // what init has said is not said again
		t.Errorf("in a cluster: %+v", got)
	}
}

// TestStaleNetwork: a kubeconfig that is missing, or of another CA, proves it; what can't be read does not.
func TestStaleNetwork(t *testing.T) {
	ca := func(name string) []byte {
		key, err := pki.NewKey("ECDSA-P256")
		if err != nil {
			t.Fatal(err)
		}
		made, err := pki.NewCA(name, key, 1<<50)
		if err != nil {
			t.Fatal(err)
		}
		return pki.EncodeCert(made.Cert)
	}
	ours, theirs := ca("ours"), ca("theirs")
	both := slices.Concat(ca("old"), ours) // while it is replaced
	for name, c := range map[string]struct {
		network    string
		kubeconfig pki.Kubeconfig
		text, want string
	}{
		"missing":             {network: calicoCNI, want: "/etc/cni/net.d/calico-kubeconfig, is missing"},
		"missing, of multus":  {network: multusCNI, want: "multus.kubeconfig, is missing"},
		"of another":          {network: calicoCNI, kubeconfig: pki.Kubeconfig{Server: "https://10.96.0.1:443", CA: theirs}, want: "https://10.96.0.1:443 of a cluster with another CA"},
		"of this":             {network: calicoCNI, kubeconfig: pki.Kubeconfig{Server: "https://10.96.0.1:443", CA: ours}},
		"of both":             {network: calicoCNI, kubeconfig: pki.Kubeconfig{Server: "https://10.96.0.1:443", CA: slices.Concat(both, theirs)}},
		"of a file with a CA": {network: calicoCNI, kubeconfig: pki.Kubeconfig{Server: "https://10.96.0.1:443", CAFile: "/ca.crt"}},
		"damaged":             {network: calicoCNI, text: "{"},
		"without one":         {network: flannelCNI},
		"still to be filled":  {network: strings.ReplaceAll(calicoCNI, "/etc/cni/net.d/calico-kubeconfig", "__KUBECONFIG_FILEPATH__")},
	} {
		o := testObserver(t, "default")
		hosttest.Put(t, o.Host, "/etc/cni/net.d/10-x.conflist", c.network, 0o600)
		hosttest.Put(t, o.Host, o.PKIFile("ca", ".crt"), string(both), 0o600)
		if _, err := o.Host.WriteFile(spec.KubeletDropIn, []byte("x"), 0o600); err != nil { // else all lack a daemon
			t.Fatal(err)
		}
		if c.kubeconfig.Server != "" {
			c.kubeconfig.Cluster, c.kubeconfig.User = "local", "calico"
			data, err := pki.EncodeKubeconfig(c.kubeconfig)
			if err != nil {
				t.Fatal(err)
			}
			c.text = string(data)
		}
		if c.text != "" {
			hosttest.Put(t, o.Host, "/etc/cni/net.d/calico-kubeconfig", c.text, 0o600)
		}
		got := lookedAtCNI(t, o).Stale
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		o.Config = &config.Config{} // as for static pods on a node that somebody else has made
		if got := lookedAtCNI(t, o).Stale; got != "" {
			t.Errorf("%s, of another's cluster: %q", name, got)
		}
	}
}
