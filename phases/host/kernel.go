package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"
)

const modprobeTimeout = 10 * time.Second

// Sysctl sets a kernel setting such as "net.ipv4.ip_forward" now; to keep it over a
// reboot, write a file below /etc/sysctl.d. A name part that has a dot itself, such
// as a VLAN link, needs slashes: "net/ipv4/conf/eth0.1/forwarding".
func (h *Host) Sysctl(name, value string) error {
	now, err := h.SysctlValue(name)
	if err != nil {
		return fmt.Errorf("sysctl %s: %w", name, err)
	}
	k := key{OpSysctl, name}
	value = strings.Join(strings.Fields(value), "\t")
	if now == value {
		return h.settle(k, nothing)
	}
	return h.make(effect{key: k, verb: Set, before: State{Value: now}, after: State{Value: value}}, func() error {
		if err := h.writeSysctl(name, value); err != nil {
			return fmt.Errorf("sysctl %s=%s: %w", name, value, err)
		}
		return nil
	})
}

// KeepSysctl records a kernel setting that the kernel or a daemon will change. Undo gives
// it the value that it has now, whatever it is by then, after all other settings.
func (h *Host) KeepSysctl(name string) error {
	now, err := h.SysctlValue(name)
	if err != nil {
		return fmt.Errorf("sysctl %s: %w", name, err)
	}
	k := key{OpSysctl, name}
	if _, recorded := h.ledger.find(k); recorded {
		return nil
	}
	return h.Under(h.by, nil).For(h.aim).make(effect{key: k, before: State{Value: now}}, nothing)
}

// SysctlValue is a setting as the kernel has it, with one tab between its words. A directory
// that stands for a machine has no kernel: there, what the ledger says was set is the value.
func (h *Host) SysctlValue(name string) (string, error) {
	value, err := h.Machine.SysctlValue(name)
	if errors.Is(err, fs.ErrNotExist) && !h.Real() {
		r, _ := h.ledger.find(key{OpSysctl, name})
		return r.After.Value, nil
	}
	return value, err
}

func (h *Host) writeSysctl(name, value string) error {
	file := h.SysctlPath(name)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) && !h.Real() {
		return nil
	}
	return os.WriteFile(file, []byte(value+"\n"), 0o644)
}

// LoadModule loads a kernel module, unless the kernel has what it brings. To load it
// at boot, write a file below /etc/modules-load.d. Undo leaves it loaded: others may
// have come to use it, and unloading can hang or crash them.
func (h *Host) LoadModule(ctx context.Context, name string) error {
	k := key{OpModule, name}
	_, recorded := h.ledger.find(k)
	if h.HasModule(name) || recorded && !h.Real() {
		return h.settle(k, nothing)
	}
	return h.make(effect{key: k, verb: Load, after: State{Value: "loaded"}}, func() error { return h.modprobe(ctx, name) })
}

// modprobe does nothing for a directory that stands for a machine: the kernel that
// runs is not that machine's.
func (h *Host) modprobe(ctx context.Context, name string) error {
	if !h.Real() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, modprobeTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, cmp.Or(h.Program("modprobe"), "modprobe"), name).CombinedOutput()
	if err != nil {
		return fmt.Errorf("load kernel module %s: modprobe: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
