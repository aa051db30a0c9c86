package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Run runs a program that writes only where its arguments say, and gives what it prints.
func (h *Host) Run(ctx context.Context, program string, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, program, args...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		lines := strings.Split(strings.TrimSpace(string(exit.Stderr)), "\n")
		err = fmt.Errorf("%w: %s", err, lines[len(lines)-1])
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(program), err)
	}
	return out, nil
}

// Trial is a program that runs for a while beside all others, and may not take much from them.
type Trial struct {
	Unit    string // of systemd, NAME.service
	Dir     string // where it runs, and writes
	Program string
	Args    []string
}

// trialLimits are of each trial. Its time ends it also where nobody is left who would.
var trialLimits = []string{"MemoryMax=2G", "CPUWeight=20", "IOWeight=20", "RuntimeMaxSec=30min", "OOMPolicy=kill", "NoNewPrivileges=yes"}

// Try runs a trial while do does something with it: in a transient unit of systemd, or as a child in a
// directory that stands for a machine.
func (h *Host) Try(ctx context.Context, t Trial, do func(context.Context) error) (err error) {
	stop, err := h.startTrial(ctx, t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return do(ctx)
}

func (h *Host) startTrial(ctx context.Context, t Trial) (stop func() error, err error) {
	if !h.Real() {
		return startChild(ctx, t)
	}
	args := []string{"--quiet", "--collect", "--unit=" + t.Unit, "--property=WorkingDirectory=" + t.Dir}
	for _, limit := range trialLimits {
		args = append(args, "--property="+limit)
	}
	args = append(append(args, "--", t.Program), t.Args...)
	if _, err := h.Run(ctx, "systemd-run", args...); err != nil {
		return nil, err
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		now, err := h.units.State(ctx, t.Unit)
		if err != nil || !now.Running() {
			return err
		}
		return h.units.Do(ctx, Stop, t.Unit)
	}, nil
}

func startChild(ctx context.Context, t Trial) (stop func() error, err error) {
	child := exec.CommandContext(ctx, t.Program, t.Args...)
	child.Dir = t.Dir
	if err := child.Start(); err != nil {
		return nil, err
	}
	return func() error {
		_ = child.Process.Signal(os.Interrupt) // else it has ended
		_ = child.Wait()                       // how it ends says nothing
		return nil
	}, nil
}

// Scratch makes a folder that only root may enter, and removes it when do has ended. What a run that was killed has left goes as well.
func (h *Host) Scratch(prefix string, do func(dir string) error) (err error) {
	const parent = "/var/lib" // hardened machines run no programs in /var/tmp
	if err := os.MkdirAll(h.Path(parent), 0o755); err != nil {
		return err
	}
	left, _ := filepath.Glob(h.Path(parent) + "/" + prefix + "-*") // the pattern is good
	for _, dir := range left {
		var pid int
		_, _ = fmt.Sscanf(filepath.Base(dir), prefix+"-%d-", &pid) // 0 of a name that is none of these
		if pid > 0 && !h.Exists(fmt.Sprintf("/proc/%d", pid)) && h.Real() {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(h.Path(parent), fmt.Sprintf("%s-%d-", prefix, os.Getpid()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return do(parent + "/" + filepath.Base(dir))
}
