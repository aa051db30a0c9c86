package phases

import (
	"context"
	"errors"

	"bootstrap/phases/host"
)

// startUnit starts a unit now and at every boot. One that runs is restarted only
// when a file that it reads was written since it started.
func (e *Env) startUnit(ctx context.Context, unit string, files ...string) error {
	if err := e.Host.Reload(ctx); err != nil {
		return err
	}
	if _, err := e.Host.EnableUnit(ctx, unit); err != nil {
		return err
	}
	_, err := e.Host.StartUnit(ctx, unit, files...)
	return err
}

// The folders that daemons fill, and that are ours when they were not there before.
var (
	containerdTrees = []string{containerdDir, "/run/containerd", "/run/nri", "/opt/containerd", "/var/lib/cni", "/run/cni", "/run/netns"}
	kubeletTrees    = []string{kubeletDir, podLogDir, "/var/log/containers", "/usr/libexec/kubernetes", "/run/kubernetes"}
)

// ownTrees takes folders as ours; one that others have filled stays theirs.
func (e *Env) ownTrees(paths ...string) error {
	for _, path := range paths {
		err := e.Host.OwnTree(path)
		if foreign := (*host.ForeignError)(nil); errors.As(err, &foreign) {
			e.note("%v; reset will leave it", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}
