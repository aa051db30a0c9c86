package phases

import (
	"fmt"

	"bootstrap/phases/patch"
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
