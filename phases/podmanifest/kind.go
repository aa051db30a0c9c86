package podmanifest

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"bootstrap/phases/locate"
)

// notPods say why a kubelet can't run what is no Pod, and what to use in its place.
var notPods = []struct {
	kinds []string
	why   string
}{
	{[]string{"Deployment", "ReplicaSet", "ReplicationController", "StatefulSet"},
		"it is carried out by a controller in a cluster's control plane, and a kubelet has none: apply it to a cluster with kubectl apply -f; or write what stands in its spec.template as a Pod, which runs once, on this machine"},
	{[]string{"DaemonSet"},
		"its controller, in a cluster's control plane, makes a pod for each node, and a kubelet has none: apply it to a cluster with kubectl apply -f; or write what stands in its spec.template as a Pod, and put the file on each node"},
	{[]string{"Job", "CronJob"},
		"it is carried out by a controller in a cluster's control plane, and a kubelet has none: apply it to a cluster with kubectl apply -f; a Pod with restartPolicy: OnFailure runs to its end once, a systemd timer does so again and again"},
	{[]string{"Service", "Ingress", "Endpoints", "EndpointSlice"},
		"it is carried out by kube-proxy or a controller, which learn of it from an API server: apply it to a cluster with kubectl apply -f, its selector finds mirror pods by their labels; without a cluster, give the Pod a hostPort or hostNetwork: true"},
	{[]string{"ConfigMap", "Secret"},
		"it is kept by an API server, and a static pod may not refer to it: put its content in a file of this machine, and mount that with a hostPath volume"},
	{[]string{"PersistentVolumeClaim", "PersistentVolume", "StorageClass"},
		"a controller binds it, and a static pod may not refer to it: mount a folder of this machine with a hostPath volume"},
	{[]string{"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"},
		"it is kept by an API server, and a static pod may not refer to it: apply it to a cluster with kubectl apply -f; a program in a static pod gets at the API with a kubeconfig in a hostPath volume"},
	{[]string{"List", "PodList"},
		"a kubelet reads one Pod from a file: put each in a file of its own"},
}

// checkKind wants a Pod, and says of the rest what to use in its place.
func checkKind(root *yaml.Node) error {
	version, kind := locate.Text(root, "apiVersion"), locate.Text(root, "kind")
	switch {
	case kind == "":
		return fmt.Errorf("line %d: it has no kind, want kind: Pod", root.Line)
	case kind != "Pod":
		return fmt.Errorf("line %d: %s", locate.Line(root, "kind"), notPod(kind))
	case version != "v1":
		return fmt.Errorf("line %d: apiVersion of a Pod is %q, want v1", max(root.Line, locate.Line(root, "apiVersion")), version)
	}
	return nil
}

func notPod(kind string) string {
	for _, n := range notPods {
		if slices.Contains(n.kinds, kind) {
			return fmt.Sprintf("a %s can't be a static pod: %s", kind, n.why)
		}
	}
	if strings.EqualFold(kind, "Pod") {
		return fmt.Sprintf("kind is %q, want Pod", kind)
	}
	return fmt.Sprintf("a kubelet runs Pods and nothing else, this is of kind %q: apply it to a cluster with kubectl apply -f", kind)
}
