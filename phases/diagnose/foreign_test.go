package diagnose

import "testing"

func TestRemoveRules(t *testing.T) {
	for found, want := range map[string]string{
		"table ip6 kube-proxy":                 "nft delete table ip6 kube-proxy",
		"chain KUBE-SERVICES in table ip6 nat": "ip6tables-save | grep -v -e KUBE- -e FLANNEL- | ip6tables-restore",
		"chain FLANNEL-FWD in table ip filter": "iptables-save | grep -v -e KUBE- -e FLANNEL- | iptables-restore",
	} {
		if got := removeRules(found); got != want {
			t.Errorf("%s: %s, want %s", found, got, want)
		}
	}
}
