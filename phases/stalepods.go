package phases

import (
	"context"
	"errors"

	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
)

// replaceStalePods removes the pods of manifests that were changed since, where
// the kubelet would not: until it has met its API server once, it removes no pod
// at all, and no pod takes the place of the one it replaces. So a manifest that
// kept the API server from starting could never be mended.
func (e *Env) replaceStalePods(ctx context.Context, cri *runtime.CRI) error {
	current, err := e.Observe().ManifestUIDs()
	if err != nil {
		return err
	}
	stale := func(pod, uid string) bool { return current[pod] != "" && current[pod] != uid }
	found, err := cri.Pods(ctx, stale)
	if err != nil || len(found) == 0 {
		return err
	}
	e.Tell.Note("the kubelet is restarted without the pods of manifests that were changed: it would remove none before it has met the API server")
	const unit = spec.KubeletService
	if _, err := e.Host.StopUnit(ctx, unit); err != nil {
		return err
	}
	err = e.removePods(ctx, cri, found)
	_, startErr := e.Host.StartUnit(ctx, unit)
	return errors.Join(err, startErr)
}
