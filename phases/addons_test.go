package phases

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"bootstrap/manifests"
	"bootstrap/phases/cluster"
	"bootstrap/phases/config"
	"bootstrap/phases/config/configtest"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/machine"
	"bootstrap/phases/plan/plantest"
)

func TestCorefile(t *testing.T) {
	golden(t, "addons/Corefile", []byte(corefile("cluster.local", "/etc/resolv.conf")))
	golden(t, "addons/Corefile-alone", []byte(corefile("cluster.local", "")))
}

func TestReachable(t *testing.T) {
	env := testEnv(t, "default")
	env.Facts.ResolvConf = true
	for text, want := range map[string]string{
		"":                          "",
		"# nothing\nsearch x\n":     "",
		"nameserver 127.0.0.53\n":   "",
		"nameserver ::1\n":          "",
		"nameserver\n":              "",
		"nameserver x\n":            "",
		"#nameserver 192.0.2.1\n":   "",
		"nameserver\t192.0.2.1  \n": "/etc/resolv.conf",
		"nameserver 127.0.0.1\nnameserver fd00::1\nnameserver 192.0.2.1\n": "fd00::1 192.0.2.1",
	} {
		hosttest.Put(t, env.Host, "/etc/resolv.conf", text, 0o644)
		if got, err := env.forwardsTo(); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
}

// TestForwardsTo asks the file that pods' resolvers are made from.
func TestForwardsTo(t *testing.T) {
	env := testEnv(t, "default")
	hosttest.Put(t, env.Host, "/etc/resolv.conf", "nameserver 127.0.0.53\n", 0o644)
	hosttest.Put(t, env.Host, machine.ResolvedConfPath, "nameserver 192.0.2.1\n", 0o644)
	hosttest.Put(t, env.Host, "/etc/pods.conf", "nameserver 127.0.0.1\n", 0o644)
	check := func(name string, want string) {
		t.Helper()
		if got, err := env.forwardsTo(); err != nil || got != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	check("no resolver", "")
	env.Facts.ResolvConf = true
	check("resolved's stub", "")
	env.Facts.ResolvedConf = true
	check("resolved's servers", "/etc/resolv.conf")
	env.Config.Kubelet = map[string]any{"resolvConf": "/etc/pods.conf"}
	check("the user's file", "")
	hosttest.Put(t, env.Host, "/etc/flag.conf", "nameserver 192.0.2.2\n", 0o644)
	env.Config.KubeletExtraArgs = []config.Arg{{Name: "resolv-conf", Value: "/etc/flag.conf"}}
	check("the user's flag", "/etc/resolv.conf")
}

func TestProxyConfig(t *testing.T) {
	c := configtest.Valid(t, "default")
	want := map[string]any{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
		"bindAddress": "0.0.0.0", "clientConnection": map[string]any{"kubeconfig": "/var/lib/kube-proxy/kubeconfig.conf"},
		"clusterCIDR": "10.244.0.0/16", "mode": "nftables",
	}
	if diff := cmp.Diff(want, proxyConfig(c, machine.Facts{NFTables: true})); diff != "" {
		t.Error(diff)
	}
	got := proxyConfig(configtest.Valid(t, "dual-stack"), machine.Facts{FixedConntrack: true})
	if got["mode"] != "iptables" || got["clusterCIDR"] != "10.244.0.0/16,fd00:10:244::/56" {
		t.Errorf("%v", got)
	}
	if _, ok := got["conntrack"]; !ok {
		t.Error("kube-proxy would end: it can't set conntrack's limits")
	}
	if got := proxyConfig(configtest.Valid(t, "ipv6"), machine.Facts{}); got["bindAddress"] != "::" {
		t.Errorf("%v", got)
	}
}

// TestProxyConfigOfUser wants the user's fields, and ours beside them.
func TestProxyConfigOfUser(t *testing.T) {
	c := configtest.Valid(t, "default")
	c.KubeProxy = map[string]any{"mode": "iptables", "clientConnection": map[string]any{"qps": 7}}
	addon, err := proxyAddon(c, machine.Facts{NFTables: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"mode: iptables\n", "qps: 7\n", "kubeconfig: /var/lib/kube-proxy/kubeconfig.conf\n"} {
		if !strings.Contains(string(addon.Settings[1]), want) {
			t.Errorf("no %q in\n%s", want, addon.Settings[1])
		}
	}
}

// TestAddons wants what the config leaves, and no more.
func TestAddons(t *testing.T) {
	cases := map[string]struct {
		set  func(*config.Config)
		want int
	}{
		"all but the network, for which there is no bundle": {func(*config.Config) {}, 2},
		"no DNS":  {func(c *config.Config) { c.DNSDisabled = true }, 1},
		"nothing": {func(c *config.Config) { c.DNSDisabled, c.ProxyDisabled = true, true }, 0},
	}
	for name, c := range cases {
		env := testEnv(t, "default")
		c.set(env.Config)
		all, err := env.addons()
		if err != nil || len(all) != c.want {
			t.Errorf("%s: %d addons, %v", name, len(all), err)
		}
	}
}

func TestDNSReplicas(t *testing.T) {
	c := configtest.Valid(t, "default")
	for single, want := range map[bool]bool{true: false, false: true} {
		c.Box.SingleNode = single
		addon, err := dnsAddon(c, "/etc/resolv.conf")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(addon.Workload), "replicas: 2\n"); got != want {
			t.Errorf("single node %v: %s", single, addon.Workload)
		}
	}
}

// readyPod is a pod of the template below that is up.
func readyPod(node string) corev1.Pod {
	started := true
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x-1", Annotations: map[string]string{manifests.SettingsHash: "1"}}}
	pod.Spec.NodeName = node
	pod.Spec.Containers = []corev1.Container{{Name: "x", Image: "x:v1"}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "x", Started: &started, Ready: true,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(time.Now())}},
	}}
	return pod
}

func TestCheckWorkload(t *testing.T) {
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{manifests.SettingsHash: "1"}}}
	template.Spec.Containers = []corev1.Container{{Name: "x", Image: "x:v1"}}
	with := func(change func(*corev1.Pod)) corev1.Pod {
		pod := readyPod("node-1")
		change(&pod)
		return pod
	}
	waiting := func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such host"}}
	}
	cases := []struct {
		name, want string
		pods       []corev1.Pod
	}{
		{"ready", "", []corev1.Pod{readyPod("node-1")}},
		{"none", "it has no pod yet", nil},
		{"image", "pod x-1, x: its container waits: ImagePullBackOff no such host", []corev1.Pod{with(waiting)}},
		{"image on another node", "", []corev1.Pod{readyPod("node-1"), with(func(p *corev1.Pod) { waiting(p); p.Spec.NodeName = "node-2" })}},
		{"old settings", "pod x-1 is of the settings before", []corev1.Pod{with(func(p *corev1.Pod) { p.Annotations = nil })}},
		{"old image", "pod x-1 is of the settings before", []corev1.Pod{with(func(p *corev1.Pod) { p.Spec.Containers[0].Image = "x:v0" })}},
		{"not scheduled", "pod x-1 is not scheduled: 0/1 nodes are available", []corev1.Pod{with(func(p *corev1.Pod) {
			p.Spec.NodeName = ""
			p.Status = corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes are available"}}}
		})}},
		{"just made", "pod x-1 is pending", []corev1.Pod{with(func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodPending} })}},
		{"not ready", "pod x-1, x: its readiness probe has not succeeded yet", []corev1.Pod{with(func(p *corev1.Pod) { p.Status.ContainerStatuses[0].Ready = false })}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := checkWorkload(cluster.Workload{Template: template, Pods: c.pods}, "node-1")
			if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	few := cluster.Workload{Replicas: 2, Template: template, Pods: []corev1.Pod{readyPod("node-1")}}
	plantest.CheckError(t, checkWorkload(few, "node-1"), "1 of 2 pods")
}

func TestCheckNode(t *testing.T) {
	node := &corev1.Node{}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse, Reason: "KubeletNotReady", Message: "cni plugin not initialized"}}
	plantest.CheckError(t, checkNode(node), "KubeletNotReady: cni plugin not initialized")
	node.Status.Conditions[0].Status = corev1.ConditionTrue
	if err := checkNode(node); err != nil {
		t.Error(err)
	}
}

// TestAddonChecks wants only what can become ready to be waited for.
func TestAddonChecks(t *testing.T) {
	answers := httptest.NewServer(http.NotFoundHandler())
	defer answers.Close()
	cases := map[string]struct {
		set  func(*Env)
		want []string
	}{
		"ours":                               {func(*Env) {}, []string{"kube-proxy", "kube-flannel-ds", "coredns", "Node"}},
		"no network":                         {func(e *Env) { e.Config.Box.Network = config.NoNetwork }, []string{"kube-proxy"}},
		"no network, no proxy":               {func(e *Env) { e.Config.Box.Network, e.Config.ProxyDisabled = config.NoNetwork, true }, nil},
		"no DNS":                             {func(e *Env) { e.Config.DNSDisabled = true }, []string{"kube-proxy", "kube-flannel-ds", "Node"}},
		"a node for the control plane alone": {func(e *Env) { e.Config.Taints = config.ControlPlaneTaints() }, []string{"kube-proxy", "kube-flannel-ds", "coredns", "Node"}},
		"a taint that keeps CoreDNS off":     {func(e *Env) { e.Config.Taints = []config.Taint{{Key: "dedicated", Effect: "NoSchedule"}} }, []string{"kube-proxy", "kube-flannel-ds", "Node"}},
		"a taint that does not":              {func(e *Env) { e.Config.Taints = []config.Taint{{Key: "dedicated", Effect: "PreferNoSchedule"}} }, []string{"kube-proxy", "kube-flannel-ds", "coredns", "Node"}},
		"a cloud controller manager to come": {func(e *Env) { e.Config.KubeletExtraArgs = []config.Arg{{Name: "cloud-provider", Value: "external"}} }, []string{"kube-proxy", "kube-flannel-ds", "Node"}},
		"taints in the kubelet's document":   {func(e *Env) { e.Config.Kubelet = map[string]any{"registerWithTaints": []any{}} }, []string{"kube-proxy", "kube-flannel-ds", "Node"}},
		"endpoint that answers":              {func(e *Env) { e.Config.ControlPlaneEndpoint = answers.Listener.Addr().String() }, []string{"kube-proxy", "kube-flannel-ds", "coredns", "Node"}},
		"endpoint still to come":             {func(e *Env) { e.Config.ControlPlaneEndpoint = "127.0.0.1:1" }, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			env := testEnv(t, "default")
			if _, err := env.Host.WriteFile(networkFile, []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
			c.set(env)
			env = reopen(env)
			var got []string
			for _, check := range env.addonChecks(nil) {
				got = append(got, check.Name)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
