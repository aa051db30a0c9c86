package netfilter

import (
	"slices"
	"syscall"
	"testing"
)

// TestForwardDrops asks the kernel, in a network of the test's own.
func TestForwardDrops(t *testing.T) {
	if !inNamespace(t, syscall.CLONE_NEWNET) {
		return
	}
	want := func(names ...string) {
		t.Helper()
		got, err := ForwardDrops(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		if !slices.Equal(got, names) {
			t.Errorf("drops: %q, want %q", got, names)
		}
	}
	want()
	sh(t, "nft 'add table inet lan; add chain inet lan in { type filter hook input priority 0; policy drop; }; add chain inet lan through { type filter hook forward priority 0; }'")
	want()
	sh(t, "nft 'add chain inet lan through { policy drop; }'")
	want("inet lan through")
	sh(t, "iptables-nft -P FORWARD DROP")
	want("inet lan through", "ip filter FORWARD")
	sh(t, "iptables-nft -P FORWARD ACCEPT")
	want("inet lan through")
}

func TestLegacyDrops(t *testing.T) {
	for save, want := range map[string]bool{
		"*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [3:180]\nCOMMIT\n":  true,
		"*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\nCOMMIT\n":    false,
		"*mangle\n:FORWARD DROP [0:0]\n*filter\n:FORWARD ACCEPT [0:0]\n": false,
	} {
		got := false
		for _, table := range parseLegacy("ip", save) {
			for _, chain := range table.Chains {
				got = got || chain.DropsForwarded && table.Name == "legacy ip filter" && chain.Name == "FORWARD"
			}
		}
		if got != want {
			t.Errorf("%q: %v", save, got)
		}
	}
}

// TestTables asks the kernel, in a network of the test's own.
func TestTables(t *testing.T) {
	if !inNamespace(t, syscall.CLONE_NEWNET) {
		return
	}
	sh(t, "nft 'add table ip kube-proxy; add table inet lan'")
	got, err := Tables(t.Context())
	slices.Sort(got)
	if err != nil || !slices.Equal(got, []string{"inet lan", "ip kube-proxy"}) {
		t.Errorf("%q, %v", got, err)
	}
	sh(t, "nft flush ruleset")
	if got, err := Tables(t.Context()); err != nil || len(got) > 0 {
		t.Errorf("after a flush: %q, %v", got, err)
	}
}
