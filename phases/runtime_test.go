package phases

import (
	"slices"
	"testing"

	"bootstrap/phases/host"
)

// TestSettingsBeforeTheirFile: what the next boot would set is in the ledger before the
// file is there by which it does.
func TestSettingsBeforeTheirFile(t *testing.T) {
	env := testEnv(t, "default")
	put(t, env, "/proc/sys/net/ipv4/ip_forward", "0\n", 0o600)
	put(t, env, "/proc/sys/net/bridge/bridge-nf-call-iptables", "0\n", 0o600)
	if err := env.prepareKernel(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := func(target string) int {
		return slices.IndexFunc(env.Host.Entries(), func(r host.Record) bool { return r.Target == target })
	}
	for _, key := range []string{"net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables"} {
		if set, kept := at(key), at(sysctlFile); set < 0 || set > kept {
			t.Errorf("%s is entry %d, its file entry %d", key, set, kept)
		}
	}
}
