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

// killMembers ends all processes in a cgroup and below it, also those that start meanwhile:
// it asks each, and kills those that don't heed it.
func killMembers(ctx context.Context, cgroup string) error {
	members, err := cgroupMembers(cgroup)
	if err != nil || len(members) == 0 {
		return err
	}
	if slices.ContainsFunc(members, func(p machine.Process) bool { return p.PID == os.Getpid() }) {
		return fmt.Errorf("this command runs in %s itself, and does not end itself", cgroup)
	}
	start, sent := time.Now(), map[int]unix.Signal{}
	for len(members) > 0 {
		signal := unix.SIGTERM
		switch took := time.Since(start); {
		case took > termTimeout+killTimeout:
			return fmt.Errorf("processes of %s do not end: %v", cgroup, members)
		case took > termTimeout:
			signal = unix.SIGKILL
		}
		for _, p := range members {
			if sent[p.PID] == signal {
				continue
			}
			if err := signalMember(cgroup, p.PID, signal); err != nil {
				return fmt.Errorf("end %v: %w", p, err)
			}
			sent[p.PID] = signal
		}
		select {
		case <-time.After(memberPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if members, err = cgroupMembers(cgroup); err != nil {
			return err
		}
	}
	return nil
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
