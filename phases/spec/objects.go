package spec

import (
	"errors"

	"bootstrap/manifests"
	"bootstrap/phases/config"
)

// ControlPlaneLabels are kubeadm's. A load balancer may lead to the only node there is.
func ControlPlaneLabels(c *config.Config) map[string]string {
	labels := map[string]string{"node-role.kubernetes.io/control-plane": ""}
	if !c.Box.SingleNode {
		labels["node.kubernetes.io/exclude-from-external-load-balancers"] = ""
	}
	return labels
}

// ConfigObjects are what kubeadm join and kubeadm upgrade read, and what we made of it.
func ConfigObjects(c *config.Config, kubelet []byte) ([][]byte, error) {
	forCluster, clusterErr := c.ClusterConfiguration()
	forBox, boxErr := c.BoxConfiguration()
	errs := []error{clusterErr, boxErr}
	var objects [][]byte
	add := func(name, key string, content []byte) {
		object, err := manifests.ConfigMap("kube-system", name, map[string]string{key: string(content)})
		objects, errs = append(objects, object), append(errs, err)
	}
	add("kubeadm-config", "ClusterConfiguration", forCluster)
	add("kubelet-config", "kubelet", kubelet)
	add("bootstrap-config", "BoxConfiguration", forBox)
	return objects, errors.Join(errs...)
}
