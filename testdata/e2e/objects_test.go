package e2e

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// applied is what init without a config applies besides the Node, with all names that
// kubeadm gives to its own. A ServiceAccount has no field that anybody would manage.
const applied = `
ClusterRole /flannel
ClusterRole /kubeadm:get-nodes
ClusterRole /system:coredns
ClusterRoleBinding /flannel
ClusterRoleBinding /kubeadm:apiserver-kubelet-client
ClusterRoleBinding /kubeadm:cluster-admins
ClusterRoleBinding /kubeadm:get-nodes
ClusterRoleBinding /kubeadm:kubelet-bootstrap
ClusterRoleBinding /kubeadm:node-autoapprove-bootstrap
ClusterRoleBinding /kubeadm:node-autoapprove-certificate-rotation
ClusterRoleBinding /kubeadm:node-proxier
ClusterRoleBinding /system:coredns
ConfigMap kube-public/cluster-info
ConfigMap kube-system/bootstrap-config
ConfigMap kube-system/coredns
ConfigMap kube-system/kube-flannel-cfg
ConfigMap kube-system/kube-proxy
ConfigMap kube-system/kubeadm-config
ConfigMap kube-system/kubelet-config
DaemonSet kube-system/kube-flannel-ds
DaemonSet kube-system/kube-proxy
Deployment kube-system/coredns
PriorityClass /system-node-critical
Role kube-public/kubeadm:bootstrap-signer-clusterinfo
Role kube-system/kube-proxy
Role kube-system/kubeadm:kubelet-config
Role kube-system/kubeadm:nodes-kubeadm-config
RoleBinding kube-public/kubeadm:bootstrap-signer-clusterinfo
RoleBinding kube-system/kube-proxy
RoleBinding kube-system/kubeadm:kubelet-config
RoleBinding kube-system/kubeadm:nodes-kubeadm-config
Service kube-system/kube-dns
`

// testServerDryRun: the server takes every object of ours, manifests too, as strictly
// as it can.
func testServerDryRun(n *Node) {
	managed := n.managed()
	want := append(strings.Split(strings.TrimSpace(applied), "\n"), "Node /"+n.Name)
	// The API server makes this one too, and may be first.
	const class = "PriorityClass /system-node-critical"
	if _, ours := managed[class]; !ours {
		n.MustKubectl("get", "priorityclass", "system-node-critical")
		want = slices.DeleteFunc(want, func(name string) bool { return name == class })
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(managed))); diff != "" {
		n.t.Errorf("objects (-want +got):\n%s", diff)
	}
	for namespace, names := range byNamespace(managed) {
		args := append([]string{"get", "-o", "yaml", "-n", namespace}, names...)
		// Without the version, or it is a conflict when a controller writes to one meanwhile.
		objects := resourceVersion.ReplaceAllString(n.MustKubectl(args...), "")
		n.Write("/tmp/e2e/objects.yaml", objects)
		n.MustKubectl("apply", "--server-side", "--force-conflicts", "--field-manager=bootstrap", "--dry-run=server", "--validate=strict", "-f", "/tmp/e2e/objects.yaml")
	}
	for _, c := range components {
		n.MustKubectl("apply", "--dry-run=server", "--validate=strict", "-f", "/etc/kubernetes/manifests/"+c+".yaml")
	}
	n.MustSh(`sed 's/^  hostNetwork:/  hostNetwrk:/' /etc/kubernetes/manifests/etcd.yaml >/tmp/typo.yaml`)
	r := n.Kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "/tmp/typo.yaml")
	if r.Code == 0 || !r.Has(`unknown field "spec.hostNetwrk"`) {
		n.t.Errorf("a typo is not refused: %s", r)
	}
}

var resourceVersion = regexp.MustCompile(`(?m)^ *resourceVersion: .*\n`)

// byNamespace gives the names of objects as kubectl takes them.
func byNamespace(managed map[string]string) map[string][]string {
	names := map[string][]string{}
	for object := range managed {
		kind, key, _ := strings.Cut(object, " ")
		namespace, name, _ := strings.Cut(key, "/")
		names[namespace] = append(names[namespace], kind+"/"+name)
	}
	return names
}

type managedList struct {
	Items []struct {
		Kind     string
		Metadata struct {
			Namespace, Name, ResourceVersion string
			Labels                           map[string]string
			ManagedFields                    []struct{ Manager, Operation, Time string }
		}
	}
}

// managed gives the resource version of every object that bootstrap applied, without
// those of the API server that it only makes earlier: see testBootstrapPolicy. The
// kubelet writes to a Node when it likes: there it is when bootstrap last changed it.
func (n *Node) managed() map[string]string {
	n.t.Helper()
	kinds := strings.Fields(n.MustKubectl("api-resources", "--verbs=list", "-o", "name"))
	versions := map[string]string{}
	for _, object := range mustGet[managedList](n, strings.Join(kinds, ","), "-A", "--show-managed-fields").Items {
		m := object.Metadata
		for _, f := range m.ManagedFields {
			switch name := object.Kind + " " + m.Namespace + "/" + m.Name; {
			case f.Manager != "bootstrap", m.Labels["kubernetes.io/bootstrapping"] != "":
			case object.Kind == "Node":
				versions[name] = f.Time
			default:
				versions[name] = m.ResourceVersion
			}
		}
	}
	return versions
}
