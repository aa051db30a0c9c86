package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
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
	Unit    string // of systemd, NAME.scope
	Dir     string // where it runs, and writes
	Program string
	Args    []string
}

// trialLimits are of each trial.
var trialLimits = []string{"--property=MemoryMax=2G", "--property=CPUWeight=20", "--property=IOWeight=20"}

// Try runs a trial while do does something with it: in a transient unit of systemd, unless a directory stands for the
// machine. It ends with this process, however that does.
func (h *Host) Try(ctx context.Context, t Trial, do func(context.Context) error) error {
	line := append([]string{t.Program}, t.Args...)
	if h.Real() {
		line = slices.Concat([]string{"systemd-run", "--scope", "--quiet", "--collect", "--unit=" + t.Unit}, trialLimits, []string{"--"}, line)
	}
	child := exec.CommandContext(ctx, line[0], line[1:]...) // a scope has systemd-run become the program
	child.Dir, child.SysProcAttr = t.Dir, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := child.Start(); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(t.Program), err)
	}
	err := do(ctx)
	_ = child.Process.Signal(os.Interrupt) // else it has ended
	_ = child.Wait()                       // how it ends says nothing
	return err
}

// scratchParent is where scratch folders are made: hardened machines run no programs in /var/tmp.
const scratchParent = "/var/lib"

// Scratch makes a folder that only root may enter, and removes it when do has ended. What runs that were killed have
// left goes as well.
func (h *Host) Scratch(prefix string, do func(dir string) error) (err error) {
	if err := errors.Join(h.RemoveScratch(), os.MkdirAll(h.Path(scratchParent), 0o755)); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(h.Path(scratchParent), fmt.Sprintf("%s-%d-", prefix, os.Getpid()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return do(scratchParent + "/" + filepath.Base(dir))
}

// RemoveScratch removes the scratch folders of processes that are no more.
func (h *Host) RemoveScratch() error {
	left, err := filepath.Glob(h.Path(scratchParent) + "/bootstrap-*-*-*")
	for _, dir := range left {
		parts := strings.Split(dir, "-")
		pid, parseErr := strconv.Atoi(parts[len(parts)-2])
		if parseErr == nil && h.Real() && !h.Exists(fmt.Sprintf("/proc/%d", pid)) {
			err = errors.Join(err, h.quietly(func() error { return os.RemoveAll(dir) }))
		}
	}
	return err
}
