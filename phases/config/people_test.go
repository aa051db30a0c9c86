package config

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestPeople judges files as people write them and as programs of others do: see people.md for
// where each comes from, and how its verdict was proven.
func TestPeople(t *testing.T) {
	for _, file := range files(t, "people/*.yaml") {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			_, err := Parse(name+".yaml", []byte(readFile(t, file)), machine)
			if valid := !strings.HasPrefix(name, "invalid-"); valid != (err == nil) {
				t.Errorf("valid: %t, and it is refused: %v", valid, err)
			}
		})
	}
}
