package phases

import (
	"context"
	"fmt"

	"bootstrap/phases/config"
	"bootstrap/phases/runtime"
)

// checkCgroupDriver wants kubelet and runtime to make cgroups in the same way: two
// managers of one tree fail under load. The kubelet takes the driver over from a
// runtime that tells it; only for others what is configured must agree.
func (e *Env) checkCgroupDriver(ctx context.Context, choice Runtime) error {
	if choice.Install {
		return nil // our templates agree
	}
	c, err := e.dialRuntime(choice)
	if err != nil {
		return err
	}
	defer c.Close()
	told, err := c.CgroupDriver(ctx)
	if err != nil || told != "" {
		return err
	}
	configured, err := c.ConfiguredCgroupDriver(ctx)
	if err != nil {
		return err
	}
	driver := kubeletCgroupDriver(e.Config)
	if configured == "" {
		e.warn("%s does not tell its cgroup driver: see that it is %s, as the kubelet's", choice.name(), driver)
	}
	return sameCgroupDriver(choice.Endpoint, configured, driver)
}

func sameCgroupDriver(endpoint, configured, kubelet string) error {
	if configured == "" || configured == kubelet {
		return nil
	}
	return withHint(fmt.Errorf("container runtime at %s makes cgroups by %s, the kubelet by %s", runtime.SocketPath(endpoint), configured, kubelet),
		"update containerd to version 2, which tells the kubelet; or set SystemdCgroup = %t in its config.toml and restart it",
		kubelet == "systemd")
}

// kubeletCgroupDriver is what the kubelet uses if the runtime does not tell it
// anything: systemd, unless the config file says otherwise.
func kubeletCgroupDriver(c *config.Config) string {
	driver := "systemd"
	if own, ok := c.Kubelet["cgroupDriver"].(string); ok {
		driver = own
	}
	for _, arg := range c.KubeletExtraArgs {
		if arg.Name == "cgroup-driver" {
			driver = arg.Value
		}
	}
	return driver
}
