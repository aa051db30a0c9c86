package phases

import (
	"context"
	"slices"

	"bootstrap/manifests"
	"bootstrap/phases/config"
	"bootstrap/phases/patch"
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
	if !env.ownNetwork() {
		images = slices.DeleteFunc(images, func(image string) bool { return image == env.Config.Images.Network })
	}
	return env.withImages(ctx, func(f imageFetch) error { return f.all(ctx, images) })
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
	return env.applyAll(ctx, c, workloads...)
}

// addons are those that this cluster has.
func (e *Env) addons() ([]manifests.Addon, error) {
	var all []manifests.Addon
	for _, a := range []struct {
		wanted bool
		make   func() (manifests.Addon, error)
	}{
		{e.ownNetwork(), func() (manifests.Addon, error) { return flannelAddon(e.Config, e.Facts) }},
		{!e.Config.ProxyDisabled, func() (manifests.Addon, error) { return proxyAddon(e.Config, e.Facts) }},
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
	forward, err := e.forwardsDNS()
	if err != nil {
		return manifests.Addon{}, err
	}
	if !forward {
		e.warn("cluster DNS: this machine has no name server that pods can reach; they resolve names of the cluster only")
	}
	addon, err := dnsAddon(e.Config, forward)
	if err != nil {
		return manifests.Addon{}, err
	}
	addon.Workload, err = e.Patches.Apply(patch.CoreDNS, addon.Workload)
	return addon, err
}

func addonContainer(c *config.Config, image string) manifests.Container {
	return manifests.Container{Image: image, PullPolicy: c.ImagePullPolicy}
}
