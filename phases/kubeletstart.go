package phases

import (
	"context"

	"bootstrap/phases/observe"
	"bootstrap/phases/spec"
	"bootstrap/phases/state"
)

var kubeletStart = Phase{
	Name:  "kubelet-start",
	Short: "start the kubelet",
	Run:   runKubeletStart,
}

func runKubeletStart(ctx context.Context, env *Env) error {
	runtime := env.Choices.Runtime
	if runtime.None != nil {
		return runtime.None
	}
	// Only now, as reset asks this runtime for pods: before, it may be none at all.
	if err := env.Host.Remember(state.RuntimeNote, runtime.Endpoint); err != nil {
		return err
	}
	if err := env.prepareKubeletStart(); err != nil {
		return env.Ready().Explained(ctx, observe.Certified, env.kubeletDiskError(err))
	}
	_, err := env.Host.StartUnit(ctx, spec.KubeletService, spec.KubeletConfig, spec.KubeletUnitFile, spec.KubeletDropIn, spec.KubeletConf, env.PKIFile("ca", ".crt"), spec.ServingCert+".crt")
	return env.Ready().Explained(ctx, observe.Certified, err)
}

// prepareKubeletStart: a standalone kubelet signs for itself, as no CA is there; and it
// watches the folder of its pods only if that is there when it starts.
func (e *Env) prepareKubeletStart() error {
	if !e.Config.Box.Standalone {
		return e.ensureServingCert()
	}
	_, err := e.Host.MakeDir(spec.StaticPodDir, 0o700)
	return err
}
