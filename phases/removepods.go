package phases

import (
	"context"
	"fmt"

	"bootstrap/phases/host"
	"bootstrap/phases/plan"
	"bootstrap/phases/runtime"
)

var removePods = Phase{
	Name:  "remove-pods",
	Short: "stop and remove the pods that the kubelet made",
	Run:   runRemovePods,
}

func runRemovePods(ctx context.Context, env *Env) error {
	socket, ok := env.State().UsedRuntime()
	if !ok {
		return nil // no kubelet was given a runtime
	}
	if !env.Host.Exists(socket) {
		return runtimeIsDown(env, socket)
	}
	c, err := runtime.Dial("unix://" + socket)
	if err != nil {
		return err
	}
	defer c.Close()
	soon, cancel := context.WithTimeout(ctx, runtime.Patience)
	defer cancel()
	pods, err := c.KubeletPods(soon)
	if err != nil {
		return fmt.Errorf("container runtime at %s: %w", socket, err)
	}
	err = removeSandboxes(soon, env.Host, c, pods)
	if err == nil || ctx.Err() != nil || env.Keep.Runtime || !env.State().OwnsRuntime() || foreignContainers(ctx, env) != nil {
		return err
	}
	// Mostly a network plugin of an older cluster, which fails as it asks what is gone.
	for _, each := range plan.Failures(err) {
		env.Tell.Say("%v; what is left of it goes with containerd", each)
	}
	return nil
}

// removeSandboxes removes pods side by side: each may take its grace period.
func removeSandboxes(ctx context.Context, h *host.Host, c *runtime.CRI, pods []runtime.Sandbox) error {
	return plan.Each(len(pods), len(pods), func(i int) error {
		return h.Do(host.OpPod, host.Remove, pods[i].FullName(), func() error { return c.Remove(ctx, pods[i]) })
	})
}

// runtimeIsDown is an error if the runtime is somebody else's, as only that can remove the
// pods in it. What a runtime of ours has left goes without it.
func runtimeIsDown(env *Env, socket string) error {
	if env.State().OwnsRuntime() {
		env.Tell.Say("containerd does not run: what is left of the pods is removed without it")
		return nil
	}
	err := fmt.Errorf("the pods stay in the container runtime: it does not run (no %s)", socket)
	return plan.About(socket, plan.Hint(err, "start it, such as by: systemctl start containerd; then: bootstrap reset"))
}
