package phases

import (
	"context"
	"slices"

	"bootstrap/manifests"
	"bootstrap/phases/cluster"
	"bootstrap/phases/observe"
	"bootstrap/phases/patch"
	"bootstrap/phases/spec"
)

var addonImages = Phase{
	Name:  "addon-images",
	Short: "import the images of cluster DNS, kube-proxy and the pod network, or pull them",
	Run:   runAddonImages,
}

var addons = Phase{
	Name:  "addons",
	Short: "apply cluster DNS, kube-proxy and the pod network",
	Run:   runAddons,
}

func runAddonImages(ctx context.Context, env *Env) error {
	images := env.Config.Addons()
	if !env.Choices.Network.Own() {
		images = slices.DeleteFunc(images, func(image string) bool { return image == env.Config.Images.Network })
	}
	return env.withImages(ctx, observe.Certified, func(ctx context.Context, f imageFetch) error { return f.all(ctx, images) })
}

func runAddons(ctx context.Context, env *Env) error {
	all, err := env.addons()
	if err != nil {
		return err
	}
	c, err := env.api()
	if err != nil {
		return err
	}
	var settings, workloads [][]byte
	for _, a := range all {
		settings = append(settings, a.Settings...)
		workloads = append(workloads, a.Workload)
	}
	// First what pods need: without their service account they are not made.
	if err := env.applyAll(ctx, c, settings...); err != nil {
		return err
	}
	if err := env.applyEditable(ctx, c, all); err != nil {
		return err
	}
	if err := env.applyAll(ctx, c, workloads...); err != nil {
		return err
	}
	return env.warnOfDisabled(ctx, c)
}

// applyEditable leaves what somebody has changed in the cluster as it is.
func (e *Env) applyEditable(ctx context.Context, c *cluster.Cluster, all []manifests.Addon) error {
	for _, a := range all {
		if a.Editable == nil {
			continue
		}
		err := e.applyAll(ctx, c.Yielding(), a.Editable)
		if cluster.IsConflict(err) {
			e.Tell.Note("left as it is, since somebody has changed it: %v", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// warnOfDisabled tells of addons that the config has come to disable: what they made on
// all nodes, no phase can take back.
func (e *Env) warnOfDisabled(ctx context.Context, c *cluster.Cluster) error {
	for _, a := range []struct {
		disabled       bool
		resource, name string
	}{
		{e.Config.ProxyDisabled, "daemonsets", "kube-proxy"},
		{e.Config.DNSDisabled, "deployments", "coredns"},
	} {
		if !a.disabled || e.Host.Plans() {
			continue
		}
		_, err := c.Workload(ctx, a.resource, a.name)
		if err != nil && !cluster.IsNotFound(err) {
			return err
		}
		if err == nil {
			e.Tell.Warn("%[2]s is disabled in the config, and runs: to remove it: kubectl -n kube-system delete %[1]s %[2]s", a.resource, a.name)
		}
	}
	return nil
}

// addons are those that this cluster has.
func (e *Env) addons() ([]manifests.Addon, error) {
	var all []manifests.Addon
	for _, a := range []struct {
		wanted bool
		make   func() (manifests.Addon, error)
	}{
		{e.Choices.Network.Own(), func() (manifests.Addon, error) { return spec.FlannelAddon(e.Config, e.Facts) }},
		{!e.Config.ProxyDisabled, func() (manifests.Addon, error) { return spec.ProxyAddon(e.Config, e.Facts) }},
		{!e.Config.DNSDisabled, e.patchedDNS},
	} {
		if !a.wanted {
			continue
		}
		addon, err := a.make()
		if err != nil {
			return nil, err
		}
		all = append(all, addon)
	}
	return all, nil
}

func (e *Env) patchedDNS() (manifests.Addon, error) {
	forward, err := e.forwardsTo()
	if err != nil {
		return manifests.Addon{}, err
	}
	if forward == "" {
		e.Tell.Warn("cluster DNS: this machine has no name server that pods can reach; they resolve names of the cluster only")
	}
	addon, err := spec.DNSAddon(e.Config, forward)
	if err != nil {
		return manifests.Addon{}, err
	}
	addon.Workload, err = e.Patches.Apply(patch.CoreDNS, addon.Workload)
	return addon, err
}
