package phases

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"bootstrap/phases/host"
)

// TestSettingsBeforeTheirFile: what the next boot would set is in the ledger before the
// file is there by which it does.
func TestSettingsBeforeTheirFile(t *testing.T) {
	env := testEnv(t, "default")
	setting := env.Host.Path("/proc/sys/net/ipv4/ip_forward")
	if err := os.MkdirAll(filepath.Dir(setting), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(setting, []byte("0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	runPhase(t, env, func(ctx context.Context, env *Env) error { return env.prepareKernel(ctx) })
	at := func(target string) int {
		return slices.IndexFunc(env.Host.Entries(), func(r host.Record) bool { return r.Target == target })
	}
	if set, kept := at("net.ipv4.ip_forward"), at(sysctlFile); set < 0 || set > kept {
		t.Errorf("ip_forward is entry %d, its file entry %d", set, kept)
	}
}
