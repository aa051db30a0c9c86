package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"bootstrap/phases/machine"

	"golang.org/x/sys/unix"
)

const (
	termTimeout = 2 * time.Second // for a process that was asked to end
	killTimeout = 3 * time.Second // for one that was not asked
	memberPause = 50 * time.Millisecond
)

// killMembers ends all processes in a cgroup and below it: it asks them, and kills
// those that don't heed it.
func killMembers(ctx context.Context, cgroup string) error {
	members, err := cgroupMembers(cgroup)
	if err != nil || len(members) == 0 {
		return err
	}
	if slices.ContainsFunc(members, func(p machine.Process) bool { return p.PID == os.Getpid() }) {
		return fmt.Errorf("this command runs in %s itself, and does not end itself", cgroup)
	}
	for _, step := range []struct {
		signal  unix.Signal
		timeout time.Duration
	}{{unix.SIGTERM, termTimeout}, {unix.SIGKILL, killTimeout}} {
		left, err := signalMembers(ctx, cgroup, step.signal, step.timeout)
		if err != nil || len(left) == 0 {
			return err
		}
	}
	left, err := cgroupMembers(cgroup)
	if err != nil || len(left) == 0 {
		return err
	}
	return fmt.Errorf("processes of %s do not end: %v", cgroup, left)
}

// signalMembers sends each process the signal once, also those that start meanwhile,
// and gives those that are left when time is up.
func signalMembers(ctx context.Context, cgroup string, signal unix.Signal, timeout time.Duration) ([]machine.Process, error) {
	deadline := time.After(timeout)
	told := map[int]bool{}
	for {
		left, err := cgroupMembers(cgroup)
		if err != nil || len(left) == 0 {
			return nil, err
		}
		for _, p := range left {
			if told[p.PID] {
				continue
			}
			if err := signalMember(cgroup, p.PID, signal); err != nil {
				return nil, fmt.Errorf("end %v: %w", p, err)
			}
			told[p.PID] = true
		}
		select {
		case <-time.After(memberPause):
		case <-deadline:
			return left, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// signalMember never hits another process that was given the same id meanwhile: that
// the id is still in the cgroup is asked once the process is held.
func signalMember(cgroup string, pid int, signal unix.Signal) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	held := os.NewFile(uintptr(fd), "pidfd")
	defer held.Close()
	members, err := cgroupMembers(cgroup)
	if err != nil || !slices.ContainsFunc(members, func(p machine.Process) bool { return p.PID == pid }) {
		return err
	}
	err = unix.PidfdSendSignal(fd, signal, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}
