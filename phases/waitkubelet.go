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

// runWaitKubelet begins with all that is made here: from now on, a control plane is made
// upon it.
func runWaitKubelet(ctx context.Context, env *Env) error {
	if err := env.State().Remember(state.StandaloneNote, state.StandaloneRecord); err != nil {
		return err
	}
	w := env.Ready()
	env.Tell.Note("the kubelet and its pods must run within %s (--timeout)", w.Timeout)
	_, served := w.PodURLStatus(ctx)
	return w.WaitForKubelet(ctx, w.Timeout, append(w.UserPods(), served...))
}
