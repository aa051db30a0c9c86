package phases

import (
	"context"

	"bootstrap/manifests"
	"bootstrap/phases/cluster"
	"bootstrap/phases/spec"
)

var uploadConfig = Phase{
	Name:  "upload-config",
	Short: "store the configs of the cluster and its kubelets in ConfigMaps, for nodes that join",
	Run:   asAdmin(runUploadConfig),
}

func runUploadConfig(ctx context.Context, env *Env, c *cluster.Cluster) error {
	kubelet, err := env.ClusterKubeletConfig()
	if err != nil {
		return err
	}
	objects, err := spec.ConfigObjects(env.Config, kubelet)
	if err != nil {
		return err
	}
	return c.ApplyAll(ctx, append(objects, manifests.UploadConfig)...)
}
