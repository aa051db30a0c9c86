package host

import (
	"os"
	"path/filepath"
	"testing"
)

// TestIsMount: what /proc tells of mounts is what the machine has.
func TestIsMount(t *testing.T) {
	for path, want := range map[string]bool{"/proc": true, "/proc/self": false, "/dev/pts": true, "/etc": false, "/": false} {
		above, err := os.Open(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		defer above.Close()
		dir, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		if got, err := isMount(dir, above); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", path, got, err, want)
		}
	}
}
