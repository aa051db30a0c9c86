package spec

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config/configtest"
)

// TestStandalonePorts: only the kubelet's have to be free.
func TestStandalonePorts(t *testing.T) {
	var owners []string
	for _, p := range Ports(configtest.Valid(t, "standalone")) {
		owners = append(owners, p.Owner)
	}
	if diff := cmp.Diff([]string{"kubelet health", "kubelet"}, owners); diff != "" {
		t.Error(diff)
	}
}
