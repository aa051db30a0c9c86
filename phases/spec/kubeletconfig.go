package spec

import (
	"maps"

	"sigs.k8s.io/yaml"

	"bootstrap/phases/config"
	"bootstrap/phases/patch"
	"bootstrap/templates"
)

// nodeFields of a KubeletConfiguration follow from what one machine has.
var nodeFields = []string{"containerRuntimeEndpoint", "failCgroupV1", "failSwapOn", "featureGates", "oomScoreAdj", "resolvConf"}

// RenderKubeletConfig is this node's: ours, the user's document over it, then patches.
func (s *Spec) RenderKubeletConfig(endpoint string) ([]byte, error) {
	rendered, err := templates.Render(s.kubeletConfig(endpoint))
	if err != nil {
		return nil, err
	}
	if s.Config.Kubelet != nil {
		if rendered, err = overlaid(rendered, s.Config.Kubelet); err != nil {
			return nil, err
		}
	}
	return s.Patches.Apply(patch.Kubelet, rendered)
}

// ClusterKubeletConfig is what other nodes begin with when they join. They would run the
// same pods of a URL, and may read in the cluster what is secret.
func (s *Spec) ClusterKubeletConfig() ([]byte, error) {
	rendered, err := templates.Render(s.kubeletConfig(""))
	if err != nil {
		return nil, err
	}
	over, _ := config.WithoutPodURL(s.Config.Kubelet)
	return overlaid(rendered, over, nodeFields...)
}

// PodURLIn is what a kubelet's configuration has it fetch pods from.
func PodURLIn(data []byte) (config.PodURL, error) {
	var fields map[string]any
	if err := yaml.Unmarshal(data, &fields); err != nil {
		return config.PodURL{}, err
	}
	return config.PodURLOf(fields), nil
}

// overlaid is base without some of its fields, and over on it.
func overlaid(base []byte, over map[string]any, without ...string) ([]byte, error) {
	var fields map[string]any
	if err := yaml.Unmarshal(base, &fields); err != nil {
		return nil, err
	}
	for _, name := range without {
		delete(fields, name)
	}
	return yaml.Marshal(merged(fields, over))
}

// merged lays over on base: mappings are merged, all else is replaced.
func merged(base, over map[string]any) map[string]any {
	result := maps.Clone(base)
	for name, value := range over {
		inner, isMap := value.(map[string]any)
		below, wasMap := base[name].(map[string]any)
		if isMap && wasMap {
			value = merged(below, inner)
		}
		result[name] = value
	}
	return result
}
