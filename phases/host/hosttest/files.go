package hosttest

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"bootstrap/phases/host"
)

// Put writes a file below the Host's directory as somebody else would: the ledger is not
// told of it.
func Put(t testing.TB, h *host.Host, path, content string, mode fs.FileMode) {
	t.Helper()
	file := h.Path(path)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
}

// Remove removes a file below the Host's directory as somebody else would.
func Remove(t testing.TB, h *host.Host, path string) {
	t.Helper()
	if err := os.Remove(h.Path(path)); err != nil {
		t.Fatal(err)
	}
}
