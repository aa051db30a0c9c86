package manifests

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

var (
	testImage   = "images.example/x:v1"
	testDNS     = CoreDNS{Image: testImage, ClusterIP: "10.96.0.10", Corefile: ".:53 {\n}\n", Replicas: 2}
	testProxy   = KubeProxy{Image: testImage, Config: "mode: nftables\n", Server: "https://192.0.2.10:6443"}
	testFlannel = Flannel{Image: testImage, NetConf: "{}\n", Conflist: "{}", Args: []string{"--ip-masq"}, Host: "192.0.2.10", Port: "6443"}
)

func rendered(t *testing.T, a interface{ Objects() (Addon, error) }) Addon {
	t.Helper()
	addon, err := a.Objects()
	if err != nil {
		t.Fatal(err)
	}
	return addon
}

// setting is the object of that kind, read strictly.
func setting[T any](t *testing.T, a Addon, kind string) T {
	t.Helper()
	for _, data := range append(a.Settings, a.Editable) {
		if decode[map[string]any](t, data)["kind"] == kind {
			return decode[T](t, data)
		}
	}
	t.Fatalf("no %s", kind)
	panic("unreachable")
}

// TestOneObjectPerKind: more of one kind would get lost.
func TestOneObjectPerKind(t *testing.T) {
	for _, manifest := range [][]byte{coreDNS, kubeProxy, network} {
		o, err := readObjects(manifest, testImage)
		if err != nil || len(o) != len(documents(manifest)) {
			t.Errorf("%d objects of %d documents, %v", len(o), len(documents(manifest)), err)
		}
	}
}

// TestAddonObjects reads every object as its own type, strictly, and wants all of them
// in kube-system that lie in a namespace.
func TestAddonObjects(t *testing.T) {
	for name, a := range map[string]Addon{"coredns": rendered(t, testDNS), "kube-proxy": rendered(t, testProxy), "flannel": rendered(t, testFlannel)} {
		t.Run(name, func(t *testing.T) {
			account := setting[corev1.ServiceAccount](t, a, "ServiceAccount")
			binding := setting[rbacv1.ClusterRoleBinding](t, a, "ClusterRoleBinding")
			want := []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "kube-system", Name: account.Name}}
			if diff := cmp.Diff(want, binding.Subjects); diff != "" || account.Namespace != "kube-system" {
				t.Error(account.Namespace, diff)
			}
			for _, data := range a.Settings {
				o := decode[object](t, data)
				cluster := strings.HasPrefix(o["kind"].(string), "Cluster")
				if got := o.in("metadata")["namespace"]; cluster != (got == nil) || !cluster && got != "kube-system" {
					t.Errorf("%v in %v", o["kind"], got)
				}
			}
		})
	}
}

func TestCoreDNS(t *testing.T) {
	a := rendered(t, testDNS)
	service := setting[corev1.Service](t, a, "Service")
	if service.Name != "kube-dns" || service.Spec.ClusterIP != "10.96.0.10" || len(service.Spec.Ports) != 3 {
		t.Errorf("%+v", service)
	}
	if role := setting[rbacv1.ClusterRole](t, a, "ClusterRole"); role.Name != "system:coredns" {
		t.Error(role.Name)
	}
	if got := setting[corev1.ConfigMap](t, a, "ConfigMap"); got.Name != "coredns" || got.Data["Corefile"] != testDNS.Corefile {
		t.Errorf("%+v", got)
	}
	d := decode[appsv1.Deployment](t, a.Workload)
	if d.Name != "coredns" || *d.Spec.Replicas != 2 {
		t.Errorf("%s, %d replicas", d.Name, *d.Spec.Replicas)
	}
	checkPods(t, d.Spec.Template, "coredns", d.Spec.Selector.MatchLabels)
	single := testDNS
	single.Replicas = 0
	if d := decode[appsv1.Deployment](t, rendered(t, single).Workload); d.Spec.Replicas != nil {
		t.Errorf("%d replicas, which takes the number from who scales", *d.Spec.Replicas)
	}
}

func TestKubeProxy(t *testing.T) {
	a := rendered(t, testProxy)
	data := setting[corev1.ConfigMap](t, a, "ConfigMap").Data
	if data["config.conf"] != testProxy.Config || !strings.Contains(data["kubeconfig.conf"], "server: https://192.0.2.10:6443\n") {
		t.Errorf("%v", data)
	}
	if got := setting[rbacv1.ClusterRoleBinding](t, a, "ClusterRoleBinding"); got.Name != "kubeadm:node-proxier" || got.RoleRef.Name != "system:node-proxier" {
		t.Errorf("%+v", got)
	}
	if got := setting[rbacv1.RoleBinding](t, a, "RoleBinding"); got.Subjects[0].Name != "system:bootstrappers:kubeadm:default-node-token" {
		t.Errorf("%+v", got)
	}
	d := decode[appsv1.DaemonSet](t, a.Workload)
	checkPods(t, d.Spec.Template, "kube-proxy", d.Spec.Selector.MatchLabels)
}

func TestFlannel(t *testing.T) {
	a := rendered(t, testFlannel)
	data := setting[corev1.ConfigMap](t, a, "ConfigMap").Data
	if diff := cmp.Diff(map[string]string{"net-conf.json": "{}\n", "10-bootstrap.conflist": "{}"}, data); diff != "" {
		t.Error(diff)
	}
	d := decode[appsv1.DaemonSet](t, a.Workload)
	checkPods(t, d.Spec.Template, "flannel", d.Spec.Selector.MatchLabels)
	flanneld := d.Spec.Template.Spec.Containers[0]
	env := map[string]string{}
	for _, e := range flanneld.Env {
		env[e.Name] = e.Value
	}
	if env["KUBERNETES_SERVICE_HOST"] != "192.0.2.10" || env["KUBERNETES_SERVICE_PORT"] != "6443" || flanneld.Args[0] != "--ip-masq" {
		t.Errorf("%v, %v", env, flanneld.Args)
	}
	for _, c := range d.Spec.Template.Spec.Containers {
		s := c.SecurityContext
		if s.Privileged != nil || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || s.Capabilities.Drop[0] != "ALL" {
			t.Errorf("%s: %+v", c.Name, s)
		}
	}
}

// checkPods wants the image in every container, the right account, and labels that the
// selector finds.
func checkPods(t *testing.T, template corev1.PodTemplateSpec, account string, selector map[string]string) {
	t.Helper()
	if diff := cmp.Diff(selector, template.Labels); diff != "" {
		t.Error(diff)
	}
	if template.Spec.ServiceAccountName != account {
		t.Errorf("service account %s", template.Spec.ServiceAccountName)
	}
	for _, c := range template.Spec.Containers {
		if c.Image != testImage || c.ImagePullPolicy != "IfNotPresent" {
			t.Errorf("%s: %s, %s", c.Name, c.Image, c.ImagePullPolicy)
		}
	}
}

// TestSettingsRestartPods: the pods read their settings only when they start.
func TestSettingsRestartPods(t *testing.T) {
	hash := func(a Addon) string {
		return decode[appsv1.DaemonSet](t, a.Workload).Spec.Template.Annotations[SettingsHash]
	}
	proxy, flannel := testProxy, testFlannel
	proxy.Config, flannel.Conflist = "mode: iptables\n", "[]"
	if before := hash(rendered(t, testProxy)); before == "" || before == hash(rendered(t, proxy)) {
		t.Error("kube-proxy keeps its old settings")
	}
	if before := hash(rendered(t, testFlannel)); before == "" || before == hash(rendered(t, flannel)) {
		t.Error("flannel keeps its old settings")
	}
}
