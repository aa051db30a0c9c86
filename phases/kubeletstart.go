package phases

import "context"

var kubeletStart = Phase{
	Name:  "kubelet-start",
	Short: "start the kubelet",
	Run:   runKubeletStart,
}

func runKubeletStart(ctx context.Context, env *Env) error {
	runtime, err := env.chooseRuntime()
	if err != nil {
		return err
	}
	// Only now, as reset asks this runtime for pods: before, it may be none at all.
	if err := env.Host.Remember(runtimeNote, runtime.Endpoint); err != nil {
		return err
	}
	if err := env.ensureServingCert(); err != nil {
		return env.explained(ctx, kubeletDiskError(err))
	}
	_, err = env.Host.StartUnit(ctx, "kubelet.service", kubeletConfig, kubeletUnitFile, kubeletDropIn, kubeletConf)
	return env.explained(ctx, err)
}
