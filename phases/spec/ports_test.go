package spec

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config"
	"bootstrap/phases/config/configtest"
)

func TestPorts(t *testing.T) {
	cases := map[string][]string{
		"default": {
			"kube-apiserver 0.0.0.0:6443",
			"kubelet health 127.0.0.1:10248", "kubelet 0.0.0.0:10250", "kube-controller-manager 127.0.0.1:10257", "kube-scheduler 127.0.0.1:10259",
			"kube-proxy metrics 127.0.0.1:10249", "kube-proxy health 0.0.0.0:10256",
			"etcd clients 127.0.0.1:2379", "etcd peers 192.0.2.10:2380", "etcd metrics 127.0.0.1:2381",
		},
		"endpoint-ipv6": {
			"kube-apiserver [::]:7443",
			"kubelet health [::1]:10248", "kubelet [::]:10250", "kube-controller-manager [::1]:10257", "kube-scheduler [::1]:10259",
			"kube-proxy metrics [::1]:10249", "kube-proxy health [::]:10256",
			"etcd clients [::1]:2379", "etcd peers [2001:db8::10]:2380", "etcd metrics [::1]:2381",
		},
		"external-etcd": {
			"kube-apiserver 0.0.0.0:6443",
			"kubelet health 127.0.0.1:10248", "kubelet 0.0.0.0:10250", "kube-controller-manager 127.0.0.1:10257", "kube-scheduler 127.0.0.1:10259",
			"kube-proxy metrics 127.0.0.1:10249", "kube-proxy health 0.0.0.0:10256",
		},
	}
	for name, want := range cases {
		var got []string
		for _, p := range Ports(configtest.Valid(t, name)) {
			got = append(got, p.Owner+" "+p.Address.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestConfiguredPorts: what has another port, or none, does not need the usual one.
func TestConfiguredPorts(t *testing.T) {
	c := configtest.Valid(t, "external-etcd")
	c.Kubelet = map[string]any{"port": uint64(10350), "healthzPort": 0}
	c.KubeProxy = map[string]any{"metricsBindAddress": "127.0.0.1:10349", "healthzBindAddress": ""}
	c.ControllerManager.ExtraArgs = []config.Arg{{Name: "secure-port", Value: "10357"}}
	var got []string
	for _, p := range Ports(c) {
		got = append(got, p.Owner+" "+p.Address.String())
	}
	want := []string{
		"kube-apiserver 0.0.0.0:6443", "kubelet 0.0.0.0:10350", "kube-controller-manager 127.0.0.1:10357", "kube-scheduler 127.0.0.1:10259",
		"kube-proxy metrics 127.0.0.1:10349", "kube-proxy health 0.0.0.0:10256",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestStandalonePorts: only the kubelet's have to be free.
func TestStandalonePorts(t *testing.T) {
	var owners []string
	for _, p := range Ports(configtest.Valid(t, "standalone")) {
		owners = append(owners, p.Owner)
	}
	if diff := cmp.Diff([]string{"kubelet health", "kubelet"}, owners); diff != "" {
		t.Error(diff)
	}
}
