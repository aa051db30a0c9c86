package observe

import (
	"slices"
	"testing"

	"bootstrap/phases/host/hosttest"
)

func TestTrustedCAs(t *testing.T) {
	h, _ := hosttest.New(t)
	if got := TrustedCAs(h); len(got) > 0 {
		t.Errorf("on a machine without: %v", got)
	}
	for _, file := range []string{"/usr/share/ca-certificates/a", "/etc/ssl/certs/a", "/etc/pki/ca-trust"} { // the last is no folder
		hosttest.Put(t, h, file, "", 0o644)
	}
	if got, want := TrustedCAs(h), []string{"/etc/ssl/certs", "/usr/share/ca-certificates"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
