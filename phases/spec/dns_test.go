package spec

import (
	"strings"
	"testing"

	"bootstrap/phases/config/configtest"
)

func TestCorefile(t *testing.T) {
	golden(t, "addons/Corefile", []byte(corefile("cluster.local", "/etc/resolv.conf")))
	golden(t, "addons/Corefile-alone", []byte(corefile("cluster.local", "")))
}

func TestDNSReplicas(t *testing.T) {
	c := configtest.Valid(t, "default")
	for single, want := range map[bool]bool{true: false, false: true} {
		c.Box.SingleNode = single
		addon, err := DNSAddon(c, "/etc/resolv.conf")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(addon.Workload), "replicas: 2\n"); got != want {
			t.Errorf("single node %v: %s", single, addon.Workload)
		}
	}
}
