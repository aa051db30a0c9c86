package phases

import (
	"errors"
	"net/netip"
	"testing"

	"bootstrap/phases/config/configtest"
	"bootstrap/phases/host"
	"bootstrap/phases/plan"
	"bootstrap/phases/plan/plantest"
)

// settledEnv is an Env whose cluster was made with the default config.
func settledEnv(t *testing.T) *Env {
	t.Helper()
	env := testEnv(t, "default")
	runPhase(t, env, runEtcd)
	return env
}

func prefixes(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }

// TestSettledAllAtOnce wants every finding in one go, with its way out, and in preflight's
// error.
func TestSettledAllAtOnce(t *testing.T) {
	env := settledEnv(t)
	env.Config.Networking.PodSubnets, env.Config.Etcd.DataDir = prefixes("10.66.0.0/16"), "/srv/etcd"
	found := env.CheckCluster()
	if len(found) != 2 {
		t.Errorf("%d findings: %v", len(found), found)
	}
	for _, each := range found {
		plantest.CheckError(t, each, "in this cluster and \"", "can't be changed: ", "hint: put the old value back where another one is said, in the config file or a flag; or start over: bootstrap reset")
	}
	env.Facts.Systemd = true
	err := runPreflight(t.Context(), env)
	plantest.CheckError(t, err, "networking.podSubnet is", "etcd.local.dataDir is")
	if !errors.As(err, new(*plan.RefusedError)) {
		t.Errorf("%T is not refused before anything is changed", err)
	}
}

// TestSettledOnce: a phase that is run alone does not replace what was kept.
func TestSettledOnce(t *testing.T) {
	env := settledEnv(t)
	env.Config = configtest.Valid(t, "default")
	env.Config.Networking.DNSDomain = "other.example"
	failPhase(t, env, runEtcd, `networking.dnsDomain is "cluster.local" in this cluster and "other.example" in the config`)
	env.Config = configtest.Valid(t, "default")
	if found := env.CheckCluster(); len(found) > 0 {
		t.Errorf("what was kept has changed: %v", found)
	}
}

// TestSettledEndsWithTheData: a reset that keeps the runtime keeps the ledger, but the
// next cluster is another one.
func TestSettledEndsWithTheData(t *testing.T) {
	env := settledEnv(t)
	byRuntime := env.Host.For(host.Runtime)
	if _, err := byRuntime.WriteFile("/etc/containerd/config.toml", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := env.Host.UndoAll(t.Context(), Keep{Runtime: true}.keeps); err != nil {
		t.Fatal(err)
	}
	if !env.Host.Made("/etc/containerd/config.toml") {
		t.Fatal("the runtime was not kept")
	}
	env.Config.Networking.PodSubnets = prefixes("10.66.0.0/16")
	if found := env.CheckCluster(); len(found) > 0 {
		t.Errorf("of a cluster that is gone: %v", found)
	}
	runPhase(t, env, runEtcd)
	env.Config = configtest.Valid(t, "default")
	found := env.CheckCluster()
	if len(found) != 1 {
		t.Fatalf("of the new cluster: %v", found)
	}
	plantest.CheckError(t, found[0], `networking.podSubnet is "10.66.0.0/16" in this cluster`)
}
