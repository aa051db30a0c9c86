package observe

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"bootstrap/phases/plan"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
)

// CheckRuntime wants a runtime that is not ours to agree with the kubelet and the pod
// network. There is a warning if that can't be found out.
func (o *Observer) CheckRuntime(ctx context.Context) (warning string, err error) {
	c, err := o.DialRuntime()
	if err != nil || c == nil { // in a plan, our own will be installed
		return "", err
	}
	defer c.Close()
	warning, err = o.checkCgroupDriver(ctx, c)
	if err != nil || !o.Choices.Network.Own() {
		return warning, err
	}
	if err := o.checkNetworkImage(ctx, c); err != nil {
		return warning, err
	}
	dirs, err := c.NetworkDirs(ctx)
	if err != nil {
		return warning, err
	}
	return warning, sameNetworkDirs(o.Choices.Runtime.Endpoint, dirs)
}

// checkNetworkImage refuses a runtime other than containerd that lacks the image of the pod network:
// images of a bundle can be brought into containerd alone.
func (o *Observer) checkNetworkImage(ctx context.Context, c *runtime.CRI) error {
	if o.Config.Box.Standalone {
		return nil
	}
	info, err := c.Who(ctx)
	if err != nil || info.Name == "containerd" {
		return err
	}
	image := o.Config.Images.Network
	if has, err := c.HasImage(ctx, image); err != nil || has {
		return err
	}
	return plan.Hint(fmt.Errorf("%s is %s, and the image of the pod network, %s, comes out of a bundle into containerd only", o.Choices.Runtime.Name(), info.Name, image),
		"bring another pod network: network: none in BoxConfiguration")
}

// checkCgroupDriver wants kubelet and runtime to make cgroups in the same way: two
// managers of one tree fail under load. The kubelet takes the driver over from a
// runtime that reports its own; of others, the configuration must agree.
func (o *Observer) checkCgroupDriver(ctx context.Context, c *runtime.CRI) (warning string, err error) {
	reported, err := c.CgroupDriver(ctx)
	if err != nil || reported != "" {
		return "", err
	}
	configured, err := c.ConfiguredCgroupDriver(ctx)
	if err != nil {
		return "", err
	}
	driver := spec.KubeletCgroupDriver(o.Config)
	if configured == "" {
		return fmt.Sprintf("%s does not tell its cgroup driver: see that it is %s, as the kubelet's", o.Choices.Runtime.Name(), driver), nil
	}
	return "", sameCgroupDriver(o.Choices.Runtime.Endpoint, configured, driver)
}

func sameCgroupDriver(endpoint, configured, kubelet string) error {
	if configured == kubelet {
		return nil
	}
	return plan.Hint(fmt.Errorf("container runtime at %s makes cgroups by %s, the kubelet by %s", runtime.SocketPath(endpoint), configured, kubelet),
		"update containerd to version 2, which tells the kubelet; or set SystemdCgroup = %t in its config.toml and restart it",
		kubelet == "systemd")
}

// sameNetworkDirs refuses a runtime that looks for CNI plugins or configurations elsewhere than
// bootstrap puts them, as Debian's containerd does.
func sameNetworkDirs(endpoint string, d runtime.NetworkDirs) error {
	const remedy = "set it in the runtime's configuration and restart that; or bring your own network: network: none in BoxConfiguration"
	at := runtime.SocketPath(endpoint)
	if len(d.Plugins) > 0 && !slices.Contains(d.Plugins, spec.CNIPluginDir) {
		return plan.Hint(fmt.Errorf("container runtime at %s looks for CNI plugins in %s, not in %s (bin_dir)", at, strings.Join(d.Plugins, ", "), spec.CNIPluginDir), remedy)
	}
	if d.Config != "" && filepath.Clean(d.Config) != spec.CNIConfigDir {
		return plan.Hint(fmt.Errorf("container runtime at %s looks for CNI configurations in %s, not in %s (conf_dir)", at, d.Config, spec.CNIConfigDir), remedy)
	}
	return nil
}
