package runtime

import (
	"context"
	"encoding/json"
	"fmt"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// NetworkDirs are the folders where a runtime looks for CNI plugins and their
// configurations. Both are empty where it does not tell.
type NetworkDirs struct {
	Plugins []string `json:"PluginDirs"`
	Config  string   `json:"PluginConfDir"`
}

// NetworkDirs asks the runtime, of which containerd tells them.
func (c *CRI) NetworkDirs(ctx context.Context) (NetworkDirs, error) {
	var dirs NetworkDirs
	if c == nil {
		return dirs, nil
	}
	told, err := c.configuration(ctx)
	if text := told["cniconfig"]; text != "" {
		err = json.Unmarshal([]byte(text), &dirs)
	}
	return dirs, err
}

// configuration is what the runtime tells of itself, by topics of its own.
func (c *CRI) configuration(ctx context.Context) (map[string]string, error) {
	answer, err := c.pods.Status(ctx, &cri.StatusRequest{Verbose: true})
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", plain(err))
	}
	return answer.Info, nil
}
