package host_test

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/machine"
)

// TestDrift: each file that is not as it was written is named, with what is other, and
// nothing is written by the look.
func TestDrift(t *testing.T) {
	h, _ := hosttest.New(t)
	big := bytes.Repeat([]byte("x"), 2<<20)
	for _, name := range []string{"as-it-was", "gone", "changed", "mode", "both", "link", "removed"} {
		write(t, h, "/etc/x/"+name, []byte(name))
	}
	write(t, h, "/etc/x/program", big)
	if _, err := h.Remove("/etc/x/removed"); err != nil {
		t.Fatal(err)
	}
	if got := h.Drift(t.Context()); got != nil {
		t.Fatalf("nothing was changed: %v", got)
	}
	at := func(name string) string { return h.Path("/etc/x/" + name) }
	for _, err := range []error{
		os.Remove(at("gone")), os.Remove(at("link")), os.Symlink("as-it-was", at("link")),
		os.WriteFile(at("changed"), []byte("other"), 0), os.Chmod(at("mode"), 0o644),
		os.WriteFile(at("both"), nil, 0), os.Chmod(at("both"), 0o640),
		os.WriteFile(at("program"), append(big, 'y'), 0), // too large to be read
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []machine.Drift{
		{Path: "/etc/x/gone", What: "gone"}, {Path: "/etc/x/changed", What: "changed"}, {Path: "/etc/x/mode", What: "mode 0644"},
		{Path: "/etc/x/both", What: "changed, mode 0640"}, {Path: "/etc/x/link", What: "no regular file any more"},
	}
	if got := h.Drift(t.Context()); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func write(t *testing.T, h *host.Host, path string, data []byte) {
	t.Helper()
	if _, err := h.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
