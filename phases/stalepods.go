package phases

import (
	"context"
	"errors"
	"time"

	"bootstrap/phases/observe"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
)

// replaceManifest has write change a manifest, where a kubelet that has not met its API server
// can't see it. Until it has, a kubelet removes no pod, and starts none in place of another: so a
// manifest that kept the API server from starting could never be mended. It need not even have
// started a pod: one that it has read of, and of which the runtime knows nothing yet, is enough.
func replaceManifest(ctx context.Context, env *Env, write func() error) error {
	state, err := env.Host.UnitState(ctx, spec.KubeletService)
	if err != nil {
		return err
	}
	if !state.Running() || env.Ready().KubeletHasMet(ctx) {
		return write()
	}
	return env.inRuntime(ctx, observe.Serving, func(ctx context.Context, cri *runtime.CRI) error {
		return withoutKubelet(ctx, env, cri, write)
	})
}

// replaceStalePods removes the pods whose manifests were changed after they started, by a run
// that was interrupted then, or by hand, and that a kubelet would let run: see replaceManifest.
func replaceStalePods(ctx context.Context, env *Env, cri *runtime.CRI) error {
	found, err := stalePods(ctx, env, cri)
	if err != nil || len(found) == 0 {
		return err
	}
	return withoutKubelet(ctx, env, cri, func() error { return nil })
}

// withoutKubelet makes a change to manifests while the kubelet does not run, and removes the
// pods of those that are gone by it. A run that is killed in between leaves the kubelet stopped, and
// the next one starts it.
func withoutKubelet(ctx context.Context, env *Env, cri *runtime.CRI, change func() error) error {
	env.Tell.Say("the kubelet is restarted without the pods of manifests that were changed: it would remove none before it has met the API server")
	letStart(ctx, env, cri)
	if err := env.Host.StopUnit(ctx, spec.KubeletService); err != nil {
		return err
	}
	err := change()
	if err == nil {
		err = removeStalePods(ctx, env, cri)
	}
	return errors.Join(err, env.Host.StartUnit(ctx, spec.KubeletService))
}

func removeStalePods(ctx context.Context, env *Env, cri *runtime.CRI) error {
	found, err := stalePods(ctx, env, cri)
	if err != nil {
		return err
	}
	return removeSandboxes(ctx, env.Host, cri, found)
}

// stalePods are those whose UID is not that of their manifest.
func stalePods(ctx context.Context, env *Env, cri *runtime.CRI) ([]runtime.Sandbox, error) {
	current, err := env.ManifestUIDs()
	if err != nil {
		return nil, err
	}
	return cri.Pods(ctx, func(pod, uid string) bool { return current[pod] != "" && current[pod] != uid })
}

// letStart waits until a kubelet that was just started answers: one that is stopped before
// that leaves a folder of its own in /tmp.
func letStart(ctx context.Context, env *Env, cri *runtime.CRI) {
	soon, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	waiter := env.Ready()
	_ = waiter.WaitSilently(soon, waiter.KubeletChecks(cri, nil)) // it may be what has to be mended
}
