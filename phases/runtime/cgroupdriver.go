package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// CgroupDriver asks which cgroup driver the runtime uses, systemd or cgroupfs, by the
// call that the kubelet takes its own from. It is empty where a runtime does not have
// that call: there, both must have been configured alike.
func (c *CRI) CgroupDriver(ctx context.Context) (string, error) {
	if c == nil {
		return "systemd", nil // as the containerd will be that is installed
	}
	answer, err := c.pods.RuntimeConfig(ctx, &cri.RuntimeConfigRequest{})
	if status.Code(err) == codes.Unimplemented {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cgroup driver: %w", plain(err))
	}
	if answer.Linux == nil {
		return "", nil
	}
	return strings.ToLower(answer.Linux.CgroupDriver.String()), nil
}

// ConfiguredCgroupDriver finds the cgroup driver in the configuration that the runtime
// tells of itself, as containerd does; empty when it is not there.
func (c *CRI) ConfiguredCgroupDriver(ctx context.Context) (string, error) {
	told, err := c.configuration(ctx)
	return configuredDriver(told["config"]), err
}

// configuredDriver reads containerd's configuration as JSON.
func configuredDriver(config string) string {
	var c struct {
		Containerd struct {
			DefaultRuntimeName string
			Runtimes           map[string]struct {
				RuntimeType string
				Options     struct{ SystemdCgroup bool }
			}
		}
	}
	if json.Unmarshal([]byte(config), &c) != nil {
		return "" // some other runtime's
	}
	r := c.Containerd.Runtimes[c.Containerd.DefaultRuntimeName]
	switch {
	case r.RuntimeType != "io.containerd.runc.v2":
		return "" // others have other options
	case r.Options.SystemdCgroup:
		return "systemd"
	}
	return "cgroupfs"
}
