package phases

import (
	"os"
	"path/filepath"
	"testing"

	"bootstrap/phases/config"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/machine"
)

// machineOf is an Env whose machine has these files; /proc among them.
func machineOf(t *testing.T, files map[string]string) *Env {
	t.Helper()
	root := t.TempDir()
	for path, content := range files {
		file := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h, _ := hosttest.Open(t, root)
	return Open(Env{Config: &config.Config{}, Host: h, Facts: machine.Facts{Hostname: "Node-1"}})
}
