package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
)

// The kubelet, the runtime and the network plugin make things that no ledger
// names and that have no state before: these go without a record.

// StopTransient stops a unit that another program made while it ran, with all
// units below it. It is false when there is none.
func (h *Host) StopTransient(ctx context.Context, name string) (changed bool, err error) {
	now, err := h.UnitState(ctx, name)
	if err != nil || !now.Running() {
		return false, err
	}
	return true, h.units.Stop(ctx, name)
}

// RemoveLink removes a network link. It is false when there is none.
func (h *Host) RemoveLink(name string) (changed bool, err error) {
	if !h.real() {
		return false, nil // another root has no links of its own
	}
	link, err := netlink.LinkByName(name)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return false, nil
	}
	if err == nil {
		err = netlink.LinkDel(link)
	}
	if err != nil {
		return false, fmt.Errorf("remove link %s: %w", name, err)
	}
	return true, nil
}
