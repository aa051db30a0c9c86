package machine_test

import (
	"os"
	"path/filepath"
	"testing"

	"bootstrap/phases/machine"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put makes a file of the machine.
func put(t *testing.T, m machine.Machine, path, content string, mode os.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(m.Path(path)), 0o755))
	must(t, os.WriteFile(m.Path(path), []byte(content), mode))
	must(t, os.Chmod(m.Path(path), mode))
}
