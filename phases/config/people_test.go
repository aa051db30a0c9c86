package config

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestPeople judges files as people write them and as programs of others do: see people.md for
// where each comes from, and how its verdict was proven. A valid one gives no warning, a warned
// one at least one, with its line.
func TestPeople(t *testing.T) {
	for _, file := range files(t, "people/*.yaml") {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			c, err := Parse(name+".yaml", []byte(readFile(t, file)), machine)
			if valid := !strings.HasPrefix(name, "invalid-"); valid != (err == nil) {
				t.Fatalf("valid: %t, and it is refused: %v", valid, err)
			}
			if err != nil {
				return
			}
			if warned := strings.HasPrefix(name, "warned-"); warned != (len(c.Warnings) > 0) {
				t.Errorf("warned: %t, and the warnings are %q", warned, c.Warnings)
			}
			for _, warning := range c.Warnings {
				if !strings.HasPrefix(warning, name+".yaml:") {
					t.Errorf("no file and line: %s", warning)
				}
			}
			checkConfig(t, c)
			checkWritten(t, c, readFile(t, file))
		})
	}
}
