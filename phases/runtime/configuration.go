package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// CgroupDriver asks which cgroup driver the runtime uses, systemd or cgroupfs, by the
// call that the kubelet takes its own from. It is empty where a runtime does not have
// that call: there, both must have been configured alike.
func (c *CRI) CgroupDriver(ctx context.Context) (string, error) {
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
		return "" // this is another runtime's configuration
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

// NetworkDirs are the folders where a runtime looks for CNI plugins and their
// configurations. Both are empty where it does not tell.
type NetworkDirs struct {
	Plugins []string `json:"PluginDirs"`
	Config  string   `json:"PluginConfDir"`
}

// NetworkDirs asks the runtime, of which containerd tells them.
func (c *CRI) NetworkDirs(ctx context.Context) (NetworkDirs, error) {
	var dirs NetworkDirs
	told, err := c.configuration(ctx)
	if text := told["cniconfig"]; text != "" {
		err = json.Unmarshal([]byte(text), &dirs)
	}
	return dirs, err
}

// configuration is what a runtime tells of itself: texts by topic, and each runtime has
// topics of its own.
func (c *CRI) configuration(ctx context.Context) (map[string]string, error) {
	answer, err := c.pods.Status(ctx, &cri.StatusRequest{Verbose: true})
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", plain(err))
	}
	return answer.Info, nil
}

// pinnedSandbox matches the key sandbox in the table pinned_images of containerd's TOML, and
// other keys of that table before it.
var pinnedSandbox = regexp.MustCompile(`(?m)^\s*\[.*\.pinned_images\]\n(?:\s*[^\s\[].*\n)*?\s*sandbox = ['"](.*)['"]$`)

// SandboxImage finds the image that containerd starts every pod with in what
// `containerd config dump` prints; empty when it is not there. The CRI has no
// word for it.
func SandboxImage(dump string) string {
	if m := pinnedSandbox.FindStringSubmatch(dump); m != nil {
		return m[1]
	}
	return ""
}
