package phases

import (
	"strings"
	"testing"

	"bootstrap/phases/config"
	"bootstrap/phases/host/hosttest"
)

// TestNoNetwork wants init to say what is missing, and to go on.
func TestNoNetwork(t *testing.T) {
	env := testEnv(t, "default")
	notes := strings.Join(runPhase(t, env, installNetwork), "\n")
	if !strings.Contains(notes, "no bundle holds one") || !strings.Contains(notes, "NotReady until you install one") || env.Choices.Network.Own() {
		t.Error(notes)
	}
	env.Config.Box.Network = config.NoNetwork
	env = reopen(env)
	notes = strings.Join(runPhase(t, env, installNetwork), "\n")
	if !strings.Contains(notes, "network: none") || env.Choices.Network.Own() {
		t.Error(notes)
	}
	env.Config.Box.Network = config.Flannel
	hosttest.Put(t, env.Host, "/etc/cni/net.d/05-cilium.conflist", "{}", 0o600)
	env = reopen(env)
	notes = strings.Join(runPhase(t, env, installNetwork), "\n")
	if !strings.Contains(notes, "left to /etc/cni/net.d/05-cilium.conflist") || env.Choices.Network.Own() {
		t.Error(notes)
	}
}
