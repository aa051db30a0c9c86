package phases

import (
	"context"
	"fmt"
	"slices"

	"bootstrap/phases/host"
	"bootstrap/phases/plan"
	"bootstrap/phases/runtime"
	"bootstrap/phases/state"
)

var removeImages = Phase{
	Name:  "remove-images",
	Short: "remove the images that were brought into the container runtime",
	Run:   runRemoveImages,
}

func runRemoveImages(ctx context.Context, env *Env) error {
	images := slices.DeleteFunc(env.Host.Entries(), func(r host.Record) bool { return r.Op != host.OpImage || r.Undone })
	if len(images) == 0 || env.Keep.Images || env.Keep.Runtime {
		return nil
	}
	if env.State().OwnsRuntime() {
		return forgetRecords(env.Host, images) // they go with containerd's folder
	}
	ctx, cancel := context.WithTimeout(ctx, runtime.Patience)
	defer cancel()
	endpoint, _ := env.Host.Recall(state.ImagesNote)
	socket := runtime.SocketPath(endpoint)
	from, err := runtime.OpenRemover(ctx, socket)
	if err != nil {
		return plan.Hint(fmt.Errorf("container runtime at %s: %w", socket, err), "start it, such as by: systemctl start containerd; then: bootstrap reset")
	}
	defer from.Close()
	return forAll(images, func(r host.Record) error {
		has, err := from.Has(ctx, r.Target)
		if err != nil {
			return err
		}
		if !has {
			return env.Host.Retract(r, nil) // nothing is told: a plan made after reset must find nothing to do
		}
		return env.Host.Retract(r, func() error { return from.Remove(ctx, r.Target) })
	})
}

// forgetRecords takes records out of the ledger, and leaves what they are about as it is.
func forgetRecords(h *host.Host, records []host.Record) error {
	return forAll(records, func(r host.Record) error { return h.Retract(r, nil) })
}
