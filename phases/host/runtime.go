package host

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
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

// RemoveBridge removes a bridge link. It is false when there is none.
func (h *Host) RemoveBridge(name string) (changed bool, err error) {
	if !h.real() {
		return false, nil // another root has no links of its own
	}
	err = removeBridge(name)
	if errors.Is(err, unix.ENODEV) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("remove bridge %s: %w", name, err)
	}
	return true, nil
}

func removeBridge(name string) error {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	if err := unix.IoctlIfreq(socket, unix.SIOCGIFFLAGS, request); err != nil {
		return err
	}
	request.SetUint16(request.Uint16() &^ unix.IFF_UP)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request); err != nil {
		return err
	}
	return unix.IoctlIfreq(socket, unix.SIOCBRDELBR, request)
}
