package host

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Run runs a program that writes only where its arguments say, for as long as that takes, and gives what it prints.
func (h *Host) Run(ctx context.Context, program string, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, program, args...).Output()
	said := ""
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		lines := strings.Split(strings.TrimSpace(string(exit.Stderr)), "\n")
		said = ": " + lines[len(lines)-1]
	}
	if err != nil {
		err = fmt.Errorf("%s: %w%s", filepath.Base(program), err, said)
	}
	return out, err
}

// trialUnits begin the names of trials' units; this process's number follows.
const trialUnits = "bootstrap-trial-"

// Try runs a program that tells systemd when it is ready (sd_notify) while do does something with it: as a transient
// unit with limits, which ends after an hour in any case, unless a directory stands for the machine.
func (h *Host) Try(ctx context.Context, dir string, line []string, do func(context.Context) error) error {
	if !h.Real() {
		return tryAsChild(ctx, dir, line, do)
	}
	unit := fmt.Sprintf("%s%d-%s.service", trialUnits, os.Getpid(), rand.Text()[:8])
	defer func() { _ = h.units.Do(context.WithoutCancel(ctx), Stop, unit) }() // else it has ended
	args := []string{
		"--quiet", "--collect", "--unit=" + unit, "--service-type=notify", "--property=WorkingDirectory=" + dir, "--property=RuntimeMaxSec=3600",
		"--property=TimeoutStartSec=120", "--property=TimeoutStopSec=10", "--property=MemoryMax=2G", "--property=CPUWeight=20", "--property=IOWeight=20",
		"--", "/usr/bin/env", // SELinux lets systemd start no program that lies in /var
	}
	if _, err := h.Run(ctx, "systemd-run", append(args, line...)...); err != nil {
		said, _ := h.Run(ctx, "journalctl", "--lines=1", "--output=cat", "_SYSTEMD_UNIT="+unit) // nothing, if it was not begun
		return fmt.Errorf("%s does not start: %w%.500s; see: journalctl -u %s", filepath.Base(line[0]), err, said, unit)
	}
	return do(ctx)
}

func tryAsChild(ctx context.Context, dir string, line []string, do func(context.Context) error) error {
	child := exec.CommandContext(ctx, line[0], line[1:]...)
	child.Dir = dir
	if err := child.Start(); err != nil {
		return err
	}
	err := do(ctx)
	_ = child.Process.Signal(os.Interrupt) // else it has ended
	_ = child.Wait()                       // how it ends says nothing
	return err
}

const scratchParent = "/var/lib" // hardened machines run no programs in /var/tmp

// Scratch makes a folder that only root may enter, and removes it when do has ended. What runs that were killed have
// left goes as well.
func (h *Host) Scratch(ctx context.Context, do func(*os.Root) error) error {
	parent := h.Path(scratchParent)
	if err := errors.Join(os.MkdirAll(parent, 0o755), h.removeScratch(ctx)); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, fmt.Sprintf("bootstrap-scratch-%d-", os.Getpid()))
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err == nil {
		err = errors.Join(do(root), root.Close())
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// RemoveScratch removes the scratch folders of processes that are no more, and ends their trials.
func (h *Host) RemoveScratch(ctx context.Context) error {
	return h.quietly(func() error { return h.removeScratch(ctx) })
}

func (h *Host) removeScratch(ctx context.Context) error {
	left, err := filepath.Glob(h.Path(scratchParent) + "/bootstrap-scratch-*")
	for _, dir := range left {
		pid := 0
		n, _ := fmt.Sscanf(filepath.Base(dir), "bootstrap-scratch-%d-", &pid)
		if n != 1 || !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			continue
		}
		if h.Real() {
			_, _ = h.Run(ctx, "systemctl", "stop", fmt.Sprintf("%s%d-*", trialUnits, pid)) // else it ends by itself
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}
