package phases

// Init is the plan of bootstrap init. etcd's manifest is written before the
// kubelet starts: it watches the folder only if it is there then.
func Init() Plan {
	return Plan{
		{preflight},
		{runtimePhase, certs, kubelet},
		{images, kubeconfigs},
		{etcdPhase},
		{kubeletStart},
		{controlPlane, addonImages},
		{restartStaticPods},
		{grantAdmin},
		{restartKubelet},
		{waitControlPlane},
		{markControlPlane, uploadConfig, uploadCerts, addons},
		{bootstrapToken, writeKubeconfig},
		{waitAddons, watchControlPlane, tools},
	}
}
