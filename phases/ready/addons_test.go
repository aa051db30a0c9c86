package ready

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
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/plan/plantest"
	"bootstrap/phases/spec"
)

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
	refused := cluster.Workload{Replicas: 2, Template: template, Refused: "exceeded quota: none"}
	plantest.CheckError(t, checkWorkload(refused, "node-1"), "it has no pod yet", "exceeded quota: none")
}

func TestCheckNode(t *testing.T) {
	node := &corev1.Node{}
	plantest.CheckError(t, checkNode(node), "its kubelet has not told yet whether it is ready")
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse, Reason: "KubeletNotReady", Message: "cni plugin not initialized"}}
	plantest.CheckError(t, checkNode(node), "KubeletNotReady: cni plugin not initialized")
	node.Status.Conditions[0].Status = corev1.ConditionTrue
	if err := checkNode(node); err != nil {
		t.Error(err)
	}
}

// putNetwork puts a CNI configuration of others there.
func putNetwork(w *Waiter, name string) {
	if _, err := w.Host.WriteFile(spec.CNIConfigDir+"/"+name, []byte(`{"plugins": [{"type": "calico"}]}`), 0o600); err != nil {
		panic(err)
	}
}

// TestNoNetworkIsTold: what is not waited for, and why.
func TestNoNetworkIsTold(t *testing.T) {
	w := testWaiter(t, "default")
	var told plan.Events
	w.Tell = plan.Teller{To: told.Take}
	w.Config.Box.Network = config.NoNetwork
	w.Observer = observe.Open(*w.Observer)
	w.AddonChecks(nil)
	texts := strings.Join(told.Texts(plan.Warning), "\n")
	for _, part := range []string{"Node and coredns: not waited for", "/etc/cni/net.d", "10.244.0.0/16"} {
		if !strings.Contains(texts, part) {
			t.Errorf("%q lacks %q", texts, part)
		}
	}
}

// TestAddonChecks wants only what can become ready to be waited for.
func TestAddonChecks(t *testing.T) {
	answers := httptest.NewServer(http.NotFoundHandler())
	defer answers.Close()
	cases := map[string]struct {
		set  func(*Waiter)
		want []string
	}{
		"ours":                               {func(*Waiter) {}, []string{"kube-proxy", "kube-flannel-ds", "coredns", "Node"}},
		"no network":                         {func(w *Waiter) { w.Config.Box.Network = config.NoNetwork }, []string{"kube-proxy"}},
		"no network, no proxy":               {func(w *Waiter) { w.Config.Box.Network, w.Config.ProxyDisabled = config.NoNetwork, true }, nil},
		"a network of others":                {func(w *Waiter) { putNetwork(w, "10-calico.conflist") }, []string{"kube-proxy", "coredns", "Node"}},
		"a network of others, no DNS":        {func(w *Waiter) { putNetwork(w, "10-calico.conflist"); w.Config.DNSDisabled = true }, []string{"kube-proxy", "Node"}},
		"a network that the user brings":     {func(w *Waiter) { putNetwork(w, "10-calico.conflist"); w.Config.Box.Network = config.NoNetwork }, []string{"kube-proxy", "Node"}},
		"no DNS":                             {func(w *Waiter) { w.Config.DNSDisabled = true }, []string{"kube-proxy", "kube-flannel-ds", "Node"}},
		"a node for the control plane alone": {func(w *Waiter) { w.Config.Taints = config.ControlPlaneTaints() }, []string{"kube-proxy", "kube-flannel-ds", "coredns", "Node"}},
		"a taint that keeps CoreDNS off":     {func(w *Waiter) { w.Config.Taints = []config.Taint{{Key: "dedicated", Effect: "NoSchedule"}} }, []string{"kube-proxy", "kube-flannel-ds", "Node"}},
		"a taint that does not":              {func(w *Waiter) { w.Config.Taints = []config.Taint{{Key: "dedicated", Effect: "PreferNoSchedule"}} }, []string{"kube-proxy", "kube-flannel-ds", "coredns", "Node"}},
		"a cloud controller manager to come": {func(w *Waiter) { w.Config.KubeletExtraArgs = []config.Arg{{Name: "cloud-provider", Value: "external"}} }, []string{"kube-proxy", "kube-flannel-ds", "Node"}},
		"taints in the kubelet's document":   {func(w *Waiter) { w.Config.Kubelet = map[string]any{"registerWithTaints": []any{}} }, []string{"kube-proxy", "kube-flannel-ds", "Node"}},
		"endpoint that answers":              {func(w *Waiter) { w.Config.ControlPlaneEndpoint = answers.Listener.Addr().String() }, []string{"kube-proxy", "kube-flannel-ds", "coredns", "Node"}},
		"endpoint still to come":             {func(w *Waiter) { w.Config.ControlPlaneEndpoint = "127.0.0.1:1" }, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := testWaiter(t, "default")
			if _, err := w.Host.WriteFile(spec.NetworkFile, []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
			c.set(w)
			w.Observer = observe.Open(*w.Observer) // whose network it is may be another now
			var got []string
			if w.DialEndpoint(t.Context()) == nil {
				for _, check := range w.AddonChecks(nil) {
					got = append(got, check.Name)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
