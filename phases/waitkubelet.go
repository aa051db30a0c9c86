package phases

import (
	"context"

	"bootstrap/phases/state"
)

var waitKubelet = Phase{
	Name:  "wait-kubelet",
	Short: "wait until the kubelet answers, and runs each static pod",
	Run:   runWaitKubelet,
}

// runWaitKubelet first remembers the config of this kubelet: from now on, a control plane that
// is made on this machine is made beside its pods.
func runWaitKubelet(ctx context.Context, env *Env) error {
	if err := env.State().Remember(state.StandaloneNote, state.StandaloneRecord); err != nil {
		return err
	}
	w := env.Ready()
	env.Tell.Say("the kubelet and its pods must run within %s (--timeout)", w.Timeout)
	return w.WaitForKubelet(ctx)
}
