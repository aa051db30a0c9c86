package phases

import (
	"errors"

	"bootstrap/phases/config"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

// Init is the plan of bootstrap init. etcd's manifest is written before the kubelet starts, as
// the kubelet watches the folder of manifests only if that is there when it starts.
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

// Standalone is the plan of bootstrap init --standalone: a kubelet that runs static pods
// without an API server.
func Standalone() Plan {
	return Plan{
		{preflight},
		{runtimePhase, kubelet},
		{images},
		{kubeletStart},
		{waitKubelet},
	}
}

// InitPlan is the plan by which init makes what the config asks for.
func InitPlan(c *config.Config) Plan {
	if c.Box.Standalone {
		return Standalone()
	}
	return Init()
}

// CheckStandaloneAlone refuses to make a standalone kubelet where there is a control plane.
func (e *Env) CheckStandaloneAlone() error {
	if !e.Config.Box.Standalone || !e.Host.Made(spec.KubeletConf) {
		return nil
	}
	return plan.Hint(errors.New("there is a control plane on this machine: a standalone kubelet is one without"),
		"remove it, and run this again: bootstrap reset")
}
