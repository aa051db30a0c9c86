package spec

import (
	"fmt"

	"sigs.k8s.io/yaml"

	"bootstrap/templates"
)

// PatchPod patches a static pod, and gives it the UID of its new bytes.
func (s *Spec) PatchPod(name string, manifest []byte) ([]byte, error) {
	if !s.Patches.Has(name) {
		return manifest, nil
	}
	patched, err := s.Patches.Apply(name, manifest)
	if err != nil {
		return nil, err
	}
	pod, err := DecodePod(patched)
	if err == nil && pod.Name != name {
		err = fmt.Errorf("it is named %q", pod.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s.yaml, as the patches in %s make it: %w", name, s.Config.PatchesDir, err)
	}
	var fields map[string]any
	if err := yaml.Unmarshal(patched, &fields); err != nil {
		return nil, err
	}
	fields["metadata"].(map[string]any)["uid"] = templates.UID(s.Config.NodeName, patched) // DecodePod read its name there
	return yaml.Marshal(fields)
}
