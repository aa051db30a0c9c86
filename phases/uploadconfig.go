package phases

import (
	"context"

	"bootstrap/manifests"
	"bootstrap/phases/cluster"
	"bootstrap/phases/config"
)

var uploadConfig = Phase{
	Name:  "upload-config",
	Short: "store the configs of the cluster and its kubelets in ConfigMaps, for nodes that join",
	Run:   runUploadConfig,
}

func runUploadConfig(ctx context.Context, env *Env) error {
	kubelet, err := env.clusterKubeletConfig()
	if err != nil {
		return err
	}
	objects, err := configObjects(env.Config, kubelet)
	if err != nil {
		return err
	}
	c, err := env.api()
	if err != nil {
		return err
	}
	return env.applyAll(ctx, c, append(objects, manifests.UploadConfig)...)
}

// configObjects are what kubeadm join and kubeadm upgrade read, and what we made of it.
func configObjects(c *config.Config, kubelet []byte) ([][]byte, error) {
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
		object, err := cluster.ConfigMap("kube-system", file.name, map[string]string{file.key: string(file.content)})
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, nil
}
