package phases

import (
	"context"
	"errors"
	"slices"

	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

var removeLeftovers = Phase{
	Name:  "remove-leftovers",
	Short: "remove the processes, mounts, links and cgroups that the kubelet, containerd and the network plugin left",
	Run:   runRemoveLeftovers,
}

func runRemoveLeftovers(ctx context.Context, env *Env) error {
	var errs []error
	var mounts []string
	if _, used := env.State().UsedRuntime(); used {
		errs = append(errs, env.Host.RemoveSlice(ctx, "kubepods.slice", "cri-containerd-*.scope"))
		mounts = append(mounts, spec.KubeletMounts...)
	}
	if env.State().OwnsRuntime() && !env.Keep.Runtime && env.foreignContainers(ctx) == nil {
		mounts = slices.Concat(mounts, spec.ContainerdMounts, spec.NetworkMounts)
	}
	errs = append(errs, env.Host.UnmountLeft(ctx, mounts))
	if env.Host.Made(spec.NetworkFile) {
		// Side by side: the kernel lets a link go only when no CPU looks at it any more.
		errs = append(errs, plan.Each(len(spec.NetworkLinks), len(spec.NetworkLinks), func(i int) error {
			return env.Host.RemoveLink(spec.NetworkLinks[i])
		}))
	}
	return errors.Join(errs...)
}
