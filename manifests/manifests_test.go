package manifests

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"sigs.k8s.io/yaml"
)

func decode[T any](t *testing.T, manifest []byte) T {
	t.Helper()
	var object T
	if err := yaml.UnmarshalStrict(manifest, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

// TestBindings holds kubeadm's names (reference/kubeadm.md §2.6): who is bound to what.
func TestBindings(t *testing.T) {
	cases := []struct {
		name, role string
		subject    rbacv1.Subject
		manifest   []byte
	}{
		{"kubeadm:cluster-admins", "cluster-admin", rbacv1.Subject{Kind: "Group", Name: "kubeadm:cluster-admins"}, ClusterAdmins},
		{"kubeadm:apiserver-kubelet-client", "system:kubelet-api-admin", rbacv1.Subject{Kind: "User", Name: "kube-apiserver-kubelet-client"}, KubeletAPIAdmin},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := decode[rbacv1.ClusterRoleBinding](t, c.manifest)
			c.subject.APIGroup = "rbac.authorization.k8s.io"
			want := rbacv1.ClusterRoleBinding{
				RoleRef:  rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: c.role},
				Subjects: []rbacv1.Subject{c.subject},
			}
			want.APIVersion, want.Kind, want.Name = "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", c.name
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestPriorityClass wants what the static pods ask for.
func TestPriorityClass(t *testing.T) {
	got := decode[schedulingv1.PriorityClass](t, SystemNodeCritical)
	if got.Name != "system-node-critical" || got.Value != 2000001000 || got.GlobalDefault || got.Kind != "PriorityClass" {
		t.Errorf("%+v", got)
	}
}

// TestNoStaticPods: a Pod in here would end up on the wrong side of the API server.
func TestNoStaticPods(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		object := decode[map[string]any](t, data)
		if object["kind"] == "Pod" || object["kind"] == nil || object["apiVersion"] == nil {
			t.Errorf("%s is a %v of %v", file, object["kind"], object["apiVersion"])
		}
	}
}
