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
	h, runtime := env.Host, env.Choices.Runtime
	if runtime.None != nil {
		return runtime.None
	}
	// Only now, as reset asks this runtime for pods: before, it may be none at all.
	if err := h.Remember(state.RuntimeNote, runtime.Endpoint); err != nil {
		return err
	}
	if err := prepareKubeletStart(env); err != nil {
		return env.Ready().Explained(ctx, observe.Certified, kubeletDiskError(env.Catalogue, err))
	}
	err := h.StartUnit(ctx, spec.KubeletService, spec.KubeletConfig, spec.KubeletUnitFile, spec.KubeletDropIn, spec.KubeletConf, env.PKIFile("ca", ".crt"), spec.ServingCert+".crt")
	return env.Ready().Explained(ctx, observe.Certified, err)
}

// prepareKubeletStart gives the kubelet its serving certificate. A standalone one signs for
// itself, as there is no CA; it needs the folder of its pods, which it watches only if that is
// there when it starts.
func prepareKubeletStart(env *Env) error {
	if !env.Config.Box.Standalone {
		return env.ensureServingCert()
	}
	return env.Host.MakeDir(spec.StaticPodDir, 0o700)
}
