package phases

import (
	"context"
)

// startUnit starts a unit now and at every boot. One that runs is restarted only
// when a file that it reads was written since it started.
func (e *Env) startUnit(ctx context.Context, unit string, files ...string) error {
	// Enabled first, which is done with files: systemd then reads them all at once.
	if _, err := e.Host.EnableUnit(ctx, unit); err != nil {
		return e.explained(ctx, Begun, err) // such as a unit that is masked
	}
	_, err := e.Host.StartUnit(ctx, unit, files...)
	return e.explained(ctx, Begun, err)
}

// networkOnline is what kubelet.service waits for at boot. Started by name, it stands
// in the ledger, and reset stops it where it did not run before.
const networkOnline = "network-online.target"

// The folders that daemons fill.
var (
	containerdTrees = []string{containerdDir, "/run/containerd", "/run/nri", "/opt/containerd", "/var/lib/cni", "/run/cni", "/run/netns"}
	kubeletTrees    = []string{kubeletDir, podLogDir, "/var/log/containers", "/usr/libexec/kubernetes", "/run/kubernetes"}
)

// ownTrees takes folders as ours, save what is in them already.
func (e *Env) ownTrees(paths ...string) error {
	for _, path := range paths {
		if err := e.Host.OwnTree(path); err != nil {
			return err
		}
	}
	return nil
}
