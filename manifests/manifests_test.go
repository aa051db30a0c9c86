package manifests

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// grant is who may do what: a role, its rules if it is ours, and its subjects.
type grant struct {
	binding, namespace string
	role, roleName     string
	rule               string // of a role of ours: verbs resources names
	subjects           string
}

// TestGrants holds kubeadm's names (reference/kubeadm.md §2.6): who is bound to what.
func TestGrants(t *testing.T) {
	const (
		joining = "Group system:bootstrappers:kubeadm:default-node-token"
		nodes   = joining + ", Group system:nodes"
		signing = "system:certificates.k8s.io:certificatesigningrequests:"
	)
	cases := []struct {
		file     string
		manifest []byte
		want     []grant
	}{
		{"cluster-admins", ClusterAdmins, []grant{
			{"kubeadm:cluster-admins", "", "ClusterRole", "cluster-admin", "", "Group kubeadm:cluster-admins"}}},
		{"kubelet-api-admin", KubeletAPIAdmin, []grant{
			{"kubeadm:apiserver-kubelet-client", "", "ClusterRole", "system:kubelet-api-admin", "", "User kube-apiserver-kubelet-client"}}},
		{"upload-config", UploadConfig, []grant{
			{"kubeadm:nodes-kubeadm-config", "kube-system", "Role", "kubeadm:nodes-kubeadm-config", "[get] [configmaps] [kubeadm-config]", nodes},
			{"kubeadm:kubelet-config", "kube-system", "Role", "kubeadm:kubelet-config", "[get] [configmaps] [kubelet-config]", nodes}}},
		{"upload-certs", UploadCerts, []grant{
			{"kubeadm:kubeadm-certs", "kube-system", "Role", "kubeadm:kubeadm-certs", "[get] [secrets] [kubeadm-certs]", joining}}},
		{"bootstrap-token", BootstrapToken, []grant{
			{"kubeadm:bootstrap-signer-clusterinfo", "kube-public", "Role", "kubeadm:bootstrap-signer-clusterinfo", "[get] [configmaps] [cluster-info]", "User system:anonymous"},
			{"kubeadm:get-nodes", "", "ClusterRole", "kubeadm:get-nodes", "[get] [nodes] []", joining},
			{"kubeadm:kubelet-bootstrap", "", "ClusterRole", "system:node-bootstrapper", "", joining},
			{"kubeadm:node-autoapprove-bootstrap", "", "ClusterRole", signing + "nodeclient", "", joining},
			{"kubeadm:node-autoapprove-certificate-rotation", "", "ClusterRole", signing + "selfnodeclient", "", "Group system:nodes"}}},
	}
	for _, c := range cases {
		t.Run(c.file, func(t *testing.T) {
			if diff := cmp.Diff(c.want, grantsIn(t, c.manifest), cmp.AllowUnexported(grant{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// grantsIn reads each document strictly, so that no field of it is ignored.
func grantsIn(t *testing.T, manifest []byte) []grant {
	t.Helper()
	rules := map[string]string{} // kind, namespace and name of a role
	var grants []grant
	for _, document := range documents(manifest) {
		switch kind := decode[map[string]any](t, document)["kind"]; kind {
		case "Role", "ClusterRole":
			r := decode[rbacv1.Role](t, document) // a ClusterRole has the same fields, and no namespace
			if len(r.Rules) != 1 || !slices.Equal(r.Rules[0].APIGroups, []string{""}) {
				t.Errorf("%s: %+v", r.Name, r.Rules)
			}
			rules[r.Kind+r.Namespace+r.Name] = fmt.Sprint(r.Rules[0].Verbs, r.Rules[0].Resources, r.Rules[0].ResourceNames)
		case "RoleBinding", "ClusterRoleBinding":
			grants = append(grants, grantOf(t, decode[rbacv1.RoleBinding](t, document), rules))
		default:
			t.Errorf("a %v", kind)
		}
	}
	return grants
}

func grantOf(t *testing.T, b rbacv1.RoleBinding, rules map[string]string) grant {
	t.Helper()
	const group = "rbac.authorization.k8s.io"
	if b.APIVersion != group+"/v1" || b.RoleRef.APIGroup != group || (b.Kind == "RoleBinding") != (b.Namespace != "") {
		t.Errorf("%+v", b)
	}
	var subjects []string
	for _, s := range b.Subjects {
		if s.APIGroup != group || s.Namespace != "" {
			t.Errorf("%s: %+v", b.Name, s)
		}
		subjects = append(subjects, s.Kind+" "+s.Name)
	}
	rule := rules[b.RoleRef.Kind+b.Namespace+b.RoleRef.Name]
	return grant{b.Name, b.Namespace, b.RoleRef.Kind, b.RoleRef.Name, rule, strings.Join(subjects, ", ")}
}

func documents(manifest []byte) [][]byte { return bytes.Split(manifest, []byte("\n---\n")) }

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
		for _, document := range documents(data) {
			object := decode[map[string]any](t, document)
			if object["kind"] == "Pod" || object["kind"] == nil || object["apiVersion"] == nil {
				t.Errorf("%s has a %v of %v", file, object["kind"], object["apiVersion"])
			}
		}
	}
}

// TestBootstrapPolicy: each role is one of the API server's own, which adds to it, and
// gives its user nothing but to look, and its lease.
func TestBootstrapPolicy(t *testing.T) {
	users := map[string]string{
		"system:kube-controller-manager": "system:kube-controller-manager",
		"system:kube-scheduler":          "system:kube-scheduler",
		"system:volume-scheduler":        "system:kube-scheduler",
	}
	seen := map[string]int{}
	for _, document := range documents(BootstrapPolicy) {
		r := decode[struct {
			rbacv1.ClusterRole `json:",inline"`
			RoleRef            rbacv1.RoleRef   `json:"roleRef"`
			Subjects           []rbacv1.Subject `json:"subjects"`
		}](t, document)
		seen[r.Kind+" "+r.Name]++
		if r.Annotations["rbac.authorization.kubernetes.io/autoupdate"] != "true" || r.Labels["kubernetes.io/bootstrapping"] != "rbac-defaults" {
			t.Errorf("%s %s: the API server would not take it for its own: %v %v", r.Kind, r.Name, r.Annotations, r.Labels)
		}
		for _, rule := range r.Rules {
			writes := slices.ContainsFunc(rule.Verbs, func(v string) bool { return !slices.Contains([]string{"get", "list", "watch"}, v) })
			if writes && !slices.Equal(rule.Resources, []string{"leases"}) || slices.Contains(rule.Resources, "*") || slices.Contains(rule.Resources, "secrets") {
				t.Errorf("%s: %+v", r.Name, rule)
			}
		}
		if r.Kind == "ClusterRoleBinding" && (r.RoleRef.Name != r.Name || len(r.Subjects) != 1 || r.Subjects[0].Kind != "User" || r.Subjects[0].Name != users[r.Name]) {
			t.Errorf("%s binds %v to %v", r.Name, r.RoleRef, r.Subjects)
		}
	}
	for name := range users {
		if seen["ClusterRole "+name] != 1 || seen["ClusterRoleBinding "+name] != 1 {
			t.Errorf("%s: %v", name, seen)
		}
	}
}
