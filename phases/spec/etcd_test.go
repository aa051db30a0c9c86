package spec

import (
	"fmt"
	"strings"
	"testing"

	"bootstrap/phases/config"
	"bootstrap/phases/config/configtest"
)

// TestEtcdMembers: all are named, and the short election ends with the second.
func TestEtcdMembers(t *testing.T) {
	one := EtcdMember{"a", "https://192.0.2.10:2380"}
	three := []EtcdMember{one, {"b", "https://192.0.2.11:2380"}, {"c", "https://[2001:db8::12]:2380"}}
	for _, c := range []struct {
		name     string
		members  []EtcdMember
		change   func(*config.Config)
		cluster  string
		election string
	}{
		{"alone", three[:1], func(*config.Config) {}, "a=https://192.0.2.10:2380", "500"},
		{"others are to come", three[:1], func(c *config.Config) { c.Box.SingleNode = false }, "a=https://192.0.2.10:2380", ""},
		{"others are there", three, func(*config.Config) {}, "a=https://192.0.2.10:2380,b=https://192.0.2.11:2380,c=https://[2001:db8::12]:2380", ""},
		{"own heartbeat", three[:1], func(c *config.Config) { c.Etcd.ExtraArgs = []config.Arg{{Name: "heartbeat-interval", Value: "200"}} }, "a=https://192.0.2.10:2380", ""},
		{"own election", three[:1], func(c *config.Config) { c.Etcd.ExtraArgs = []config.Arg{{Name: "election-timeout", Value: "2000"}} }, "a=https://192.0.2.10:2380", "2000"},
	} {
		cfg := *configtest.Valid(t, "default")
		c.change(&cfg)
		line := EtcdPod(&cfg, c.members).Command
		if got := value(line, "initial-cluster"); got != c.cluster {
			t.Errorf("%s: initial-cluster=%s", c.name, got)
		}
		if got := value(line, "election-timeout"); got != c.election {
			t.Errorf("%s: election-timeout=%q, want %q", c.name, got, c.election)
		}
	}
}

// TestEtcdElsewhereOnNode: the API server follows where the user has etcd listen, and etcd's
// times fit each other.
func TestEtcdElsewhereOnNode(t *testing.T) {
	c := configtest.Valid(t, "default")
	c.Box.SingleNode = true
	c.Etcd.ExtraArgs = []config.Arg{{Name: "advertise-client-urls", Value: "https://192.0.2.10:2379"}, {Name: "heartbeat-interval", Value: "200"}}
	if got := config.Argument(etcdClientArgs(c), "etcd-servers"); got != "https://192.0.2.10:2379" {
		t.Errorf("etcd-servers %s", got)
	}
	if line := fmt.Sprint(EtcdPod(c, OnlyMember(c)).Pod); strings.Contains(line, "election-timeout") {
		t.Errorf("an election after less than five heartbeats: %s", line)
	}
}
