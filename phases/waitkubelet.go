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
	env.Tell.Note("the kubelet and its pods must run within %s (--timeout)", env.Ready().Timeout)
	_, served := env.Ready().PodURLStatus(ctx)
	return env.Ready().WaitForKubelet(ctx, env.Ready().Timeout, append(env.Ready().UserPods(), served...))
}
