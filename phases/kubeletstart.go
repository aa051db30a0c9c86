package phases

import "context"

var kubeletStart = Phase{
	Name:  "kubelet-start",
	Short: "start the kubelet, now and at every boot",
	Run:   runKubeletStart,
}

func runKubeletStart(ctx context.Context, env *Env) error {
	if err := env.ensureServingCert(); err != nil {
		return env.explained(ctx, kubeletDiskError(err))
	}
	return env.startUnit(ctx, "kubelet.service", kubeletConfig, kubeletUnitFile, kubeletDropIn, kubeletConf)
}
