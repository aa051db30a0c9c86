package phases

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/manifests"
	"bootstrap/phases/cluster"
	"bootstrap/phases/health"
	"bootstrap/phases/host"
	"bootstrap/phases/patch"
	"bootstrap/phases/spec"
)

var addons = Phase{
	Name:  "addons",
	Short: "apply cluster DNS, kube-proxy and the pod network",
	Run:   asAdmin(runAddons),
}

func runAddons(ctx context.Context, env *Env, c *cluster.Cluster) error {
	all, err := wantedAddons(env)
	if err != nil {
		return err
	}
	var settings, workloads [][]byte
	for _, addon := range all {
		settings = append(settings, addon.Settings...)
		workloads = append(workloads, addon.Workload)
	}
	// First what pods need: without their service account they are not made.
	if err := c.ApplyAll(ctx, settings...); err != nil {
		return err
	}
	if err := applyEditable(ctx, env, c, all); err != nil {
		return err
	}
	if err := c.ApplyAll(ctx, workloads...); err != nil || env.Host.Plans() {
		return err
	}
	return errors.Join(restartFlushed(ctx, env, c), warnOfDisabled(ctx, env, c))
}

// settled is how long a pod has run at least that should have written its rules.
const settled = 10 * time.Second

// restartFlushed starts the pods of this node anew whose rules somebody has removed from the firewall: kube-proxy would
// write its own again an hour later, flannel never.
func restartFlushed(ctx context.Context, env *Env, c *cluster.Cluster) error {
	lost, err := env.FlushedTables(ctx)
	if err != nil {
		return nil // what of a firewall can't be read, can't be judged
	}
	return forAll(lost, func(t spec.OwnTable) error {
		w, err := c.Workload(ctx, "daemonsets", t.Workload)
		if err != nil {
			return err
		}
		here := func(p corev1.Pod) bool { return p.Spec.NodeName == env.Config.NodeName && runsFor(p) > 0 }
		i := slices.IndexFunc(w.Pods, here)
		if i < 0 || isWritten(ctx, env, t, settled-runsFor(w.Pods[i])) {
			return nil
		}
		env.Tell.Say("%s is started anew: the firewall has no table %s any more", w.Pods[i].Name, t.Table)
		return env.Host.Do(host.OpPod, host.Remove, w.Pods[i].Namespace+"/"+w.Pods[i].Name, func() error { return c.DeletePod(ctx, &w.Pods[i]) })
	})
}

// isWritten tells whether the table comes within d: a pod that has just started is about to write it. What can't be
// read, or is not waited for to the end, is not judged.
func isWritten(ctx context.Context, env *Env, t spec.OwnTable, d time.Duration) bool {
	for end := time.Now().Add(d); time.Now().Before(end) && health.Sleep(ctx, time.Second); {
		lost, err := env.LostTables(ctx)
		if err != nil || !slices.Contains(lost, t) {
			return true
		}
	}
	return ctx.Err() != nil
}

// runsFor is how long all containers of a pod have run, 0 where one does not.
func runsFor(p corev1.Pod) time.Duration {
	var last time.Time
	for _, s := range p.Status.ContainerStatuses {
		if s.State.Running == nil {
			return 0
		}
		if started := s.State.Running.StartedAt.Time; started.After(last) {
			last = started
		}
	}
	if last.IsZero() {
		return 0
	}
	return time.Since(last)
}

// wantedAddons are the addons that the config asks for.
func wantedAddons(env *Env) ([]manifests.Addon, error) {
	var all []manifests.Addon
	var errs []error
	add := func(addon manifests.Addon, err error) {
		all, errs = append(all, addon), append(errs, err)
	}
	if env.Choices.Network.Own() {
		add(spec.FlannelAddon(env.Config, env.Facts))
	}
	if !env.Config.ProxyDisabled {
		add(spec.ProxyAddon(env.Config, env.Facts))
	}
	if !env.Config.DNSDisabled {
		add(patchedDNS(env))
	}
	return all, errors.Join(errs...)
}

func patchedDNS(env *Env) (manifests.Addon, error) {
	forward, err := forwardsTo(env.Host, env.ResolverFile())
	if err != nil {
		return manifests.Addon{}, err
	}
	if forward == "" {
		env.Tell.Warn("cluster DNS: this machine has no name server that pods can reach; they resolve names of the cluster only")
	}
	addon, err := spec.DNSAddon(env.Config, forward)
	if err != nil {
		return manifests.Addon{}, err
	}
	addon.Workload, err = env.Patches.Apply(patch.CoreDNS, addon.Workload)
	return addon, err
}

// forwardsTo is what CoreDNS asks for names of outside: the servers of the file that the
// kubelet gives pods as their resolver, empty if pods can reach none.
func forwardsTo(h *host.Host, resolver string) (string, error) {
	if resolver == "" || !h.Exists(resolver) {
		return "", nil
	}
	servers, err := h.NameServers(resolver)
	return spec.Reachable(servers), err
}

// applyEditable leaves what somebody has changed in the cluster as it is.
func applyEditable(ctx context.Context, env *Env, c *cluster.Cluster, all []manifests.Addon) error {
	for _, addon := range all {
		if addon.Editable == nil {
			continue
		}
		switch err := c.Yielding().ApplyAll(ctx, addon.Editable); {
		case cluster.IsConflict(err):
			env.Tell.Say("left as it is, since somebody has changed it: %v", err)
		case err != nil:
			return err
		}
	}
	return nil
}

// warnOfDisabled warns of addons that run although the config disables them by now. No phase
// removes them, as none can take back what they made on other nodes.
func warnOfDisabled(ctx context.Context, env *Env, c *cluster.Cluster) error {
	warn := func(disabled bool, resource, name string) error {
		if !disabled {
			return nil
		}
		_, err := c.Workload(ctx, resource, name)
		if cluster.IsNotFound(err) {
			return nil
		}
		if err == nil {
			env.Tell.Warn("%[2]s is disabled in the config, and runs: to remove it: kubectl -n kube-system delete %[1]s %[2]s",
				resource, name)
		}
		return err
	}
	return errors.Join(warn(env.Config.ProxyDisabled, "daemonsets", "kube-proxy"),
		warn(env.Config.DNSDisabled, "deployments", "coredns"))
}
