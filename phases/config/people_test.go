package config

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestPeople judges files as people write them and as programs of others do: see people.md for
// where each comes from, and how its verdict is proven. A valid one gives no warning, a warned
// one at least one, with its line; a refused one exactly the errors of its "# want: " lines.
func TestPeople(t *testing.T) {
	for _, file := range files(t, "people/*.yaml") {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(name, "invalid-") {
				checkInvalid(t, file)
				return
			}
			checkPeople(t, file)
		})
	}
}

func checkPeople(t *testing.T, file string) {
	t.Helper()
	name := filepath.Base(file)
	c, err := Parse(name, []byte(readFile(t, file)), machine)
	if err != nil {
		t.Fatal(err)
	}
	if warned := strings.HasPrefix(name, "warned-"); warned != (len(c.Warnings) > 0) {
		t.Errorf("warned: %t, and the warnings are %q", warned, c.Warnings)
	}
	for _, warning := range c.Warnings {
		if !strings.HasPrefix(warning, name+":") {
			t.Errorf("no file and line: %s", warning)
		}
	}
	checkConfig(t, c)
	checkWritten(t, c, readFile(t, file))
}
