package phases

import (
	"context"
	"errors"
	"io/fs"

	"bootstrap/phases/runtime"
)

// replaceStalePods removes the pods of manifests that were changed since, where
// the kubelet would not: until it has met its API server once, it removes no pod
// at all, and no pod takes the place of the one it replaces. So a manifest that
// kept the API server from starting could never be mended.
func (e *Env) replaceStalePods(ctx context.Context, cri *runtime.CRI) error {
	current, err := e.manifestUIDs()
	if err != nil {
		return err
	}
	stale := func(pod, uid string) bool { return current[pod] != "" && current[pod] != uid }
	found, err := cri.Pods(ctx, stale)
	if err != nil || len(found) == 0 {
		return err
	}
	e.note("the kubelet is restarted without the pods of manifests that were changed: it would remove none before it has met the API server")
	const unit = kubeletService
	if _, err := e.Host.StopUnit(ctx, unit); err != nil {
		return err
	}
	err = e.removePods(ctx, cri, found)
	_, startErr := e.Host.StartUnit(ctx, unit)
	return errors.Join(err, startErr)
}

// manifestUIDs are the UIDs of the static pods on disk, by the pods' names.
func (e *Env) manifestUIDs() (map[string]string, error) {
	uids := map[string]string{}
	for _, name := range nodeComponents(e.Config) {
		uid, err := e.manifestUID(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		uids[e.podName(name)] = uid
	}
	return uids, nil
}
