package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"bootstrap/phases/machine"
	"bootstrap/phases/netfilter"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The kubelet, the container runtime and the network plugin make things of which there are
// no records. The caller says what of that is to be removed.

// OwnRules records that the chains and tables of these names that appear from now on
// are ours to remove, with all rules that lead to them.
func (h *Host) OwnRules(ctx context.Context, names netfilter.Names) error {
	k := key{OpRules, "firewall"}
	if _, owned := h.ledger.find(k); owned || !h.Real() {
		return h.settle(k, nothing)
	}
	var before netfilter.State
	err := h.quietly(func() (err error) { // reading takes root, which a plan need not be
		before, err = names.State(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("firewall: %w", err)
	}
	was, _ := json.Marshal(before) // both are names only
	owned, _ := json.Marshal(names)
	return h.make(effect{key: k, verb: Own, before: State{Value: string(was)}, after: State{Value: string(owned)}}, nothing)
}

// ForeignRules names the tables of these names and the chains of its prefixes that were there
// before OwnRules was called. A plan that may not look finds none.
func (h *Host) ForeignRules(ctx context.Context, names netfilter.Names) ([]string, error) {
	if _, owned := h.ledger.find(key{OpRules, "firewall"}); owned || !h.Real() {
		return nil, nil
	}
	found, err := names.Find(ctx)
	if h.plan != nil && errors.Is(err, unix.EPERM) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("firewall: %w", err)
	}
	return found, nil
}

func (h *Host) undoRules(ctx context.Context, r Record) error {
	var names netfilter.Names
	if err := json.Unmarshal([]byte(r.After.Value), &names); err != nil {
		return err
	}
	var before netfilter.State
	if err := json.Unmarshal([]byte(r.Before.Value), &before); err != nil {
		return fmt.Errorf("state of the firewall: %w", err)
	}
	left, err := names.CameSince(ctx, before)
	if err != nil || !left {
		return err
	}
	return h.Do(OpRules, Remove, r.Target, func() error { return names.Remove(ctx, before) })
}

// mountsNote keeps the mounts that OwnMounts found.
const mountsNote = "mounts"

// OwnMounts records that mounts which appear from now on at paths that match one of
// the patterns (* is one name) are ours to take away.
func (h *Host) OwnMounts(patterns []string) error {
	if _, ok := h.Recall(mountsNote); ok || !h.Real() {
		return nil
	}
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	before, _ := json.Marshal(mountCounts(mounts, resolvePatterns(patterns))) // paths and numbers
	return h.Remember(mountsNote, string(before))
}

// resolvePatterns follows links in what stands before the first *, as the kernel lists
// mounts by their paths without links.
func resolvePatterns(patterns []string) []string {
	all := make([]string, len(patterns))
	for i, pattern := range patterns {
		fixed, _, _ := strings.Cut(pattern, "*")
		all[i] = pattern
		for dir := filepath.Dir(fixed); dir != "/"; dir = filepath.Dir(dir) {
			if real, err := filepath.EvalSymlinks(dir); err == nil {
				all[i] = real + strings.TrimPrefix(pattern, dir)
				break
			}
		}
	}
	return all
}

// UnmountLeft takes away the mounts that match one of the patterns and were not there
// when OwnMounts was called, deepest and newest first. It goes on after errors.
func (h *Host) UnmountLeft(ctx context.Context, patterns []string) error {
	if !h.Real() {
		return nil
	}
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	before := map[string]int{}
	if note, ok := h.Recall(mountsNote); ok {
		if err := json.Unmarshal([]byte(note), &before); err != nil {
			return fmt.Errorf("ledger: note %s: %w", mountsNote, err)
		}
	}
	gone, held := pickMounts(mounts, resolvePatterns(patterns), before)
	var errs []error
	for _, m := range gone {
		errs = append(errs, h.unmount(ctx, m.Mountpoint))
	}
	return errors.Join(append(errs, held...)...)
}

// unmount takes one mount away. In a plan it only tells if processes are in the way.
func (h *Host) unmount(ctx context.Context, path string) error {
	if h.plan == nil {
		return unmount(ctx, path, unix.Unmount)
	}
	if users := mountUsers(path); len(users) > 0 {
		return mountInUse(path, users)
	}
	h.plan.put(path, planned{unmounted: true})
	return nil
}

// RemoveSlice stops a systemd slice that another program made, with all units in it,
// and removes what is left of its cgroups. A failed unit that matches scopes would
// keep the slice loaded, and is forgotten. It is no error if there is no such slice.
func (h *Host) RemoveSlice(ctx context.Context, name, scopes string) error {
	now, err := h.UnitState(ctx, name)
	if err != nil || !h.Real() {
		return err
	}
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	left, err := findCgroups(cgroupRoots(mounts), name)
	if err != nil || !now.Running() && len(left) == 0 {
		return err
	}
	return h.Do(OpCgroup, Remove, name, func() error {
		var errs []error
		if now.Running() {
			errs = append(errs, h.units.Do(ctx, Stop, name))
		}
		errs = append(errs, h.forgetFailed(ctx, scopes))
		for _, cgroup := range left { // those that systemd has removed are no error
			errs = append(errs, removeCgroup(ctx, cgroup))
		}
		return errors.Join(errs...)
	})
}

func (h *Host) forgetFailed(ctx context.Context, pattern string) error {
	failed, err := h.units.Failed(ctx, pattern)
	errs := []error{err}
	for _, unit := range failed {
		errs = append(errs, h.units.Do(ctx, ResetFailed, unit))
	}
	return errors.Join(errs...)
}

// endProcesses ends what a unit of ours has left running, as units with
// KillMode=process do.
func (h *Host) endProcesses(ctx context.Context, unit machine.UnitState) error {
	if !h.madeUnit(unit) || !h.Real() {
		return nil
	}
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	root := unitsRoot(mounts)
	if root == "" {
		return nil
	}
	return killMembers(ctx, filepath.Join(root, "system.slice", filepath.Base(unit.Fragment)))
}

// RemoveLink removes a network link. It is no error if there is no such link.
func (h *Host) RemoveLink(name string) error {
	if !h.Real() {
		return nil // another root has no links of its own
	}
	link, err := netlink.LinkByName(name)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil
	}
	if err == nil {
		err = h.Do(OpLink, Remove, name, func() error { return netlink.LinkDel(link) })
	}
	if err != nil {
		return fmt.Errorf("remove link %s: %w", name, err)
	}
	return nil
}
