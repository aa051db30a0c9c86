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
	if err := env.prepareKernel(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := func(target string) int {
		return slices.IndexFunc(env.Host.Entries(), func(r host.Record) bool { return r.Target == target })
	}
	if set, kept := at("net.ipv4.ip_forward"), at(sysctlFile); set < 0 || set > kept {
		t.Errorf("ip_forward is entry %d, its file entry %d", set, kept)
	}
}
