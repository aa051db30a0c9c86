package observe

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/spec"
	"bootstrap/templates"
)

func TestCAMounts(t *testing.T) {
	dir := t.TempDir()
	at := func(p string) string { return filepath.Join(dir, p) }
	if got := CAMounts(at); len(got) > 0 {
		t.Errorf("on a machine without: %v", got)
	}
	for _, p := range []string{"/usr/share/ca-certificates", "/etc/ssl/certs", "/etc/pki"} {
		if err := os.MkdirAll(at(p), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(at("/etc/pki/ca-trust"), nil, 0o644); err != nil { // no folder
		t.Fatal(err)
	}
	want := []templates.Mount{spec.HostFolder("ca-certs", "/etc/ssl/certs"), spec.HostFolder("usr-share-ca-certificates", "/usr/share/ca-certificates")}
	if diff := cmp.Diff(want, CAMounts(at)); diff != "" {
		t.Error(diff)
	}
}
