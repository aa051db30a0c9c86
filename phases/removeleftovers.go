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
	h, before := env.Host, env.State()
	var errs []error
	var mounts []string
	if _, used := before.UsedRuntime(); used {
		errs = append(errs, h.RemoveSlice(ctx, "kubepods.slice", "cri-containerd-*.scope"))
		mounts = append(mounts, spec.KubeletMounts...)
	}
	if before.OwnsRuntime() && !env.Keep.Runtime && foreignContainers(ctx, env) == nil {
		mounts = slices.Concat(mounts, spec.ContainerdMounts, spec.NetworkMounts)
	}
	errs = append(errs, h.UnmountLeft(ctx, mounts), h.RemoveScratch(ctx))
	if h.Made(spec.NetworkFile) {
		// Side by side: the kernel lets a link go only when no CPU looks at it any more.
		errs = append(errs, plan.Each(len(spec.NetworkLinks), len(spec.NetworkLinks), func(i int) error {
			return h.RemoveLink(spec.NetworkLinks[i])
		}))
	}
	return errors.Join(errs...)
}
