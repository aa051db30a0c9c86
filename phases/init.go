package phases

// Init is the plan of bootstrap init. The manifests are written before the
// kubelet starts: it reads the folder at once then, and misses nothing later.
func Init() Plan {
	return Plan{
		{preflight},
		{runtimePhase, certs},
		{images, kubeconfigs},
		{etcd, controlPlane},
		{kubelet},
		{waitControlPlane},
		{markControlPlane},
	}
}
