package spec

import (
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
	forCluster, err := c.ClusterConfiguration()
	if err != nil {
		return nil, err
	}
	forBox, err := c.BoxConfiguration()
	if err != nil {
		return nil, err
	}
	var objects [][]byte
	for _, file := range []struct {
		name, key string
		content   []byte
	}{
		{"kubeadm-config", "ClusterConfiguration", forCluster},
		{"kubelet-config", "kubelet", kubelet},
		{"bootstrap-config", "BoxConfiguration", forBox},
	} {
		object, err := manifests.ConfigMap("kube-system", file.name, map[string]string{file.key: string(file.content)})
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, nil
}
