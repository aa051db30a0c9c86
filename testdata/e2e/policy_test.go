package e2e

import (
	"cmp"
	"slices"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"
)

// role is a role or binding of the whole cluster.
type role struct {
	Kind     string
	Metadata struct {
		Name                string
		Labels, Annotations map[string]string
		ManagedFields       []struct{ Manager string }
	}
	AggregationRule, Rules, RoleRef, Subjects any
}

// TestBootstrapPolicy is of the newest release; TestRelease has the one before.
func TestBootstrapPolicy(t *testing.T) {
	n := Up(t, 5*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	n.MustBootstrap("init")
	testBootstrapPolicy(n)
}

// testBootstrapPolicy: the roles that init makes before the API server can are those
// that it makes without init, to the last rule.
func testBootstrapPolicy(n *Node) {
	early := n.policy()
	isOurs := func(r role) bool { return r.Metadata.ManagedFields[0].Manager == "bootstrap" }
	if ours := slices.DeleteFunc(slices.Clone(early), func(r role) bool { return !isOurs(r) }); len(ours) < len(early)/2 {
		n.t.Errorf("init made only %d of %d roles and bindings", len(ours), len(early))
	}
	n.MustKubectl("--kubeconfig", "/etc/kubernetes/super-admin.conf", "delete", "clusterroles,clusterrolebindings", "-l", bootstrapping)
	n.MustExec("kill", "-9", n.pid("kube-apiserver"))
	n.Healthy(2 * time.Minute)
	late := n.policy()
	for _, all := range [][]role{early, late} {
		for i := range all {
			all[i].Metadata.ManagedFields = nil
		}
	}
	if d := diff.Diff(late, early); d != "" {
		n.t.Errorf("roles (-of the API server +of init):\n%s", d)
	}
}

const bootstrapping = "kubernetes.io/bootstrapping=rbac-defaults"

// policy is in the order of kinds and names. What is aggregated is a controller's doing.
func (n *Node) policy() []role {
	n.t.Helper()
	all := mustGet[struct{ Items []role }](n, "clusterroles,clusterrolebindings", "-l", bootstrapping, "--show-managed-fields").Items
	for i := range all {
		if all[i].AggregationRule != nil {
			all[i].Rules = nil
		}
	}
	slices.SortFunc(all, func(a, b role) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Metadata.Name, b.Metadata.Name))
	})
	return all
}
