package phases

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/phases/plan"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
)

var undoAll = Phase{
	Name:  "undo",
	Short: "undo what the ledger holds, newest first",
	Run:   runUndo,
}

// runUndo keeps a runtime in which others have containers.
func runUndo(ctx context.Context, env *Env) error {
	keep := env.Keep
	foreign := foreignContainers(ctx, env)
	keep.Runtime = keep.Runtime || foreign != nil
	left, err := leaveForwarding(env, keep)
	errs := []error{foreign, env.State().ForgetStandalone(), err, env.Host.UndoAll(ctx, keep.keeps)}
	for _, text := range left { // at the end, where it is read
		env.Tell.Warn("%s", text)
	}
	return errors.Join(errs...)
}

// leaveForwarding sees to it that kernel settings stay on that other programs' networks need too, such as Docker's,
// which came after init and found them on: it takes them out of the ledger, and gives what to tell of them.
func leaveForwarding(env *Env, keep Keep) (left []string, err error) {
	addresses, err := env.Host.Addresses()
	others := env.Host.BootSettings(spec.SysctlFile, "")
	for _, r := range env.Host.Entries() {
		user := forwardsBy(r.Target, addresses, others)
		if r.Op != host.OpSysctl || r.Undone || keep.keeps(r) || user == "" || env.Host.KernelSays(r.Target) != r.After.Value {
			continue
		}
		const text = "left on: %s: %s needs it too; if nothing does: sysctl -w %[1]s=%[3]s"
		left = append(left, fmt.Sprintf(text, r.Target, user, r.Before.Value))
		err = errors.Join(err, env.Host.Retract(r, nil))
	}
	return left, err
}

// forwardsBy is the link of another program's network that needs a setting of ours, or the file by which
// others turn it on at boot, as for a VPN; empty if none does. accept_ra goes with IPv6's forwarding: without,
// the kernel drops the default route.
func forwardsBy(setting string, addresses []machine.LinkAddress, boot []machine.BootSetting) string {
	is4 := setting == "net.ipv4.ip_forward"
	is6 := setting == "net.ipv6.conf.all.forwarding" || strings.HasSuffix(setting, "/accept_ra")
	for _, a := range addresses {
		if a.Containers && !spec.IsPodLink(a.Link) && (is4 && a.Address.Is4() || is6 && a.Address.Is6()) {
			return a.Link
		}
	}
	for _, s := range boot {
		sets4 := s.Name == "net/ipv4/ip_forward" || s.Name == "net/ipv4/conf/all/forwarding"
		if s.Value == "1" && (is4 && sets4 || is6 && s.Name == "net/ipv6/conf/all/forwarding") {
			return s.File
		}
	}
	return ""
}

// foreignContainers is an error if others use the containerd that is about to go.
func foreignContainers(ctx context.Context, env *Env) error {
	if !env.State().OwnsRuntime() {
		return nil
	}
	found, err := askForForeign(ctx, env.Host)
	start := ""
	if err != nil {
		found, start = foreignTasks(env.Host), "systemctl restart containerd; "
	}
	if len(found) == 0 {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			env.Tell.Warn("containerd does not tell whether others have containers in it: %v", err)
		}
		return nil
	}
	namespace, id, _ := strings.Cut(found[0], "/")
	stays := fmt.Errorf("containerd stays, with all that phase runtime made: others have containers in it: %s", strings.Join(found, ", "))
	return plan.About(containerdService, plan.Hint(stays,
		"remove them, such as by: %sctr -n %s containers rm %s; then: bootstrap reset", start, namespace, id))
}

func askForForeign(ctx context.Context, h *host.Host) ([]string, error) {
	if !h.Exists(spec.ContainerdSocket) {
		return nil, fs.ErrNotExist
	}
	store, err := runtime.OpenImages(spec.ContainerdSocket)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	ctx, cancel := context.WithTimeout(ctx, runtime.Patience)
	defer cancel()
	return store.Foreign(ctx)
}

// foreignTasks are the running containers of other namespaces. Each has a folder here, also
// while containerd is down.
func foreignTasks(h *host.Host) []string {
	dirs, _ := filepath.Glob(h.Path("/run/containerd/io.containerd.runtime.v2.task/*/*")) // no such folder: none
	var found []string
	for _, dir := range dirs {
		if namespace := filepath.Base(filepath.Dir(dir)); namespace != runtime.Namespace {
			found = append(found, namespace+"/"+filepath.Base(dir))
		}
	}
	return found
}
