package phases

import (
	"fmt"

	"sigs.k8s.io/yaml"

	"bootstrap/phases/patch"
	"bootstrap/templates"
)

// ReadPatches reads the folder that the config names, empty without; nothing is changed.
func ReadPatches(dir string) (patch.Set, error) {
	if dir == "" {
		return patch.Set{}, nil
	}
	set, err := patch.Read(dir)
	if err != nil {
		return patch.Set{}, fmt.Errorf("patches.directory: %w", err)
	}
	return set, nil
}

// patchPod patches a static pod, and gives it the UID of its new bytes.
func (e *Env) patchPod(name string, manifest []byte) ([]byte, error) {
	if !e.Patches.Has(name) {
		return manifest, nil
	}
	patched, err := e.Patches.Apply(name, manifest)
	if err != nil {
		return nil, err
	}
	pod, err := decodePod(patched)
	if err == nil && pod.Name != name {
		err = fmt.Errorf("it is named %q", pod.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s.yaml, as the patches in %s make it: %w", name, e.Config.PatchesDir, err)
	}
	var fields map[string]any
	if err := yaml.Unmarshal(patched, &fields); err != nil {
		return nil, err
	}
	fields["metadata"].(map[string]any)["uid"] = templates.UID(e.Config.NodeName, patched) // decodePod read its name there
	return yaml.Marshal(fields)
}
