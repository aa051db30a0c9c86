package phases

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"bootstrap/phases/host"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
	"bootstrap/phases/state"
)

var removePods = Phase{
	Name:  "remove-pods",
	Short: "stop and remove the pods that the kubelet made",
	Run:   runRemovePods,
}

func runRemovePods(ctx context.Context, env *Env) error {
	socket, ok := env.State().UsedRuntime()
	if !ok {
		return nil // no kubelet was given one
	}
	if !env.Host.Exists(socket) {
		return env.runtimeIsDown(socket)
	}
	c, err := runtime.Dial("unix://" + socket)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, observe.RuntimePatience)
	defer cancel()
	pods, err := c.KubeletPods(ctx)
	if err != nil {
		return fmt.Errorf("container runtime at %s: %w", socket, err)
	}
	return env.removePods(ctx, c, pods)
}

// removePods removes pods side by side: each may take its grace period.
func (e *Env) removePods(ctx context.Context, c *runtime.CRI, pods []runtime.Sandbox) error {
	return plan.Each(len(pods), len(pods), func(i int) error {
		return e.Host.Do(host.OpPod, host.Remove, pods[i].FullName(), func() error { return c.Remove(ctx, pods[i]) })
	})
}

// runtimeIsDown: what a runtime of ours has left goes without it; pods in somebody
// else's can only be removed by that.
func (e *Env) runtimeIsDown(socket string) error {
	if e.State().OwnsRuntime() {
		e.Tell.Note("containerd does not run: what is left of the pods is removed without it")
		return nil
	}
	err := fmt.Errorf("the pods stay in the container runtime: it does not run (no %s)", socket)
	return plan.About(socket, plan.Hint(err, "start it, such as by: systemctl start containerd; then: bootstrap reset"))
}

var removeImages = Phase{
	Name:  "remove-images",
	Short: "remove the images that were brought into the container runtime",
	Run:   runRemoveImages,
}

func runRemoveImages(ctx context.Context, env *Env) error {
	images := env.imageRecords()
	if len(images) == 0 || env.Keep.Images || env.Keep.Runtime {
		return nil
	}
	if env.State().OwnsRuntime() {
		return env.forgetImages(images) // they go with containerd's folder
	}
	ctx, cancel := context.WithTimeout(ctx, observe.RuntimePatience)
	defer cancel()
	socket := env.imagesSocket()
	from, err := runtime.OpenRemover(ctx, socket)
	if err != nil {
		return plan.Hint(fmt.Errorf("container runtime at %s: %w", socket, err), "start it, such as by: systemctl start containerd; then: bootstrap reset")
	}
	defer from.Close()
	var errs []error
	for _, r := range images {
		errs = append(errs, env.removeImage(ctx, from, r))
	}
	return errors.Join(errs...)
}

func (e *Env) removeImage(ctx context.Context, from runtime.Remover, r host.Record) error {
	has, err := from.Has(ctx, r.Target)
	if err != nil {
		return err
	}
	if !has {
		return e.Host.Retract(r, nil)
	}
	return e.Host.Retract(r, func() error { return from.Remove(ctx, r.Target) })
}

func (e *Env) imagesSocket() string {
	if endpoint, ok := e.Host.Recall(state.ImagesNote); ok {
		return runtime.SocketPath(endpoint)
	}
	socket, _ := e.State().UsedRuntime() // of a ledger from before there was this note
	return socket
}

func (e *Env) imageRecords() []host.Record {
	var images []host.Record
	for _, r := range e.Host.Entries() {
		if r.Op == host.OpImage && !r.Undone {
			images = append(images, r)
		}
	}
	return images
}

func (e *Env) forgetImages(images []host.Record) error {
	var errs []error
	for _, r := range images {
		errs = append(errs, e.Host.Retract(r, nil))
	}
	return errors.Join(errs...)
}

// foreignContainers is an error if others use the containerd that is about to go.
func (e *Env) foreignContainers(ctx context.Context) error {
	if !e.State().OwnsRuntime() {
		return nil
	}
	found, err := e.askForForeign(ctx)
	start := ""
	if err != nil {
		found, start = e.foreignTasks(), "systemctl restart containerd; "
	}
	if len(found) == 0 {
		e.noteHung(err)
		return nil
	}
	namespace, id, _ := strings.Cut(found[0], "/")
	stays := fmt.Errorf("containerd stays, with all that phase runtime made: others have containers in it: %s", strings.Join(found, ", "))
	return plan.About("containerd.service", plan.Hint(stays,
		"remove them, such as by: %sctr -n %s containers rm %s; then: bootstrap reset", start, namespace, id))
}

func (e *Env) askForForeign(ctx context.Context) ([]string, error) {
	if !e.Host.Exists(spec.ContainerdSocket) {
		return nil, fs.ErrNotExist
	}
	store, err := runtime.OpenImages(spec.ContainerdSocket)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	ctx, cancel := context.WithTimeout(ctx, observe.RuntimePatience)
	defer cancel()
	return store.Foreign(ctx)
}

// foreignTasks are containers of other namespaces that run: without containerd too, each
// has a folder here.
func (e *Env) foreignTasks() []string {
	dirs, _ := filepath.Glob(e.Host.Path("/run/containerd/io.containerd.runtime.v2.task/*/*")) // no such folder: none
	var found []string
	for _, dir := range dirs {
		if namespace := filepath.Base(filepath.Dir(dir)); namespace != runtime.Namespace {
			found = append(found, namespace+"/"+filepath.Base(dir))
		}
	}
	return found
}

func (e *Env) noteHung(err error) {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		e.Tell.Warn("containerd does not tell whether others have containers in it: %v", err)
	}
}
