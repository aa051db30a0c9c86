package spec

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config/configtest"
	"bootstrap/phases/machine"
)

func TestFlannelConfig(t *testing.T) {
	cases := map[string]map[string]any{
		"default":    {"EnableIPv4": true, "Network": "10.244.0.0/16", "EnableIPv6": false},
		"ipv6":       {"EnableIPv4": false, "IPv6Network": "fd00:10:244::/48", "EnableIPv6": true},
		"dual-stack": {"EnableIPv4": true, "Network": "10.244.0.0/16", "IPv6Network": "fd00:10:244::/56", "EnableIPv6": true},
	}
	for name, want := range cases {
		text := flannelConfig(configtest.Valid(t, name), machine.Facts{NFTables: true})
		want["EnableNFTables"], want["Backend"] = true, map[string]any{"Type": "vxlan"}
		var got map[string]any
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestFlannelArgs(t *testing.T) {
	if got := strings.Join(flannelArgs(configtest.Valid(t, "default")), " "); got != "--kube-subnet-mgr --ip-masq --iface=$(NODE_IP)" {
		t.Error(got)
	}
	if got := strings.Join(flannelArgs(configtest.Valid(t, "ipv6")), " "); !strings.HasSuffix(got, " --public-ipv6=$(NODE_IP)") {
		t.Error(got)
	}
}
