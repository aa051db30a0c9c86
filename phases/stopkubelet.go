package phases

import (
	"context"

	"bootstrap/phases/spec"
)

var stopKubelet = Phase{
	Name:  "stop-kubelet",
	Short: "stop the kubelet, so that it starts nothing again",
	Run:   runStopKubelet,
}

func runStopKubelet(ctx context.Context, env *Env) error {
	if env.State().WasStandalone() {
		env.Tell.Say("the kubelet ran standalone before the control plane was made: it goes too, and its static pods end")
	}
	return env.Host.StopUnit(ctx, spec.KubeletService)
}
