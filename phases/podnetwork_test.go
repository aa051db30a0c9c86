package phases

import (
	"os"
	"strings"
	"testing"

	"bootstrap/phases/config"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/spec"
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
	hosttest.Put(t, env.Host, "/etc/cni/net.d/05-cilium.conflist", `{"name":"cilium","plugins":[{"type":"cilium-cni"}]}`, 0o600)
	env = reopen(env)
	notes = strings.Join(runPhase(t, env, installNetwork), "\n")
	if !strings.Contains(notes, "left to /etc/cni/net.d/05-cilium.conflist") || env.Choices.Network.Own() {
		t.Error(notes)
	}
}

// TestNodeNetworkOnce: once flannel runs, cni-install keeps the file to the Node's range.
func TestNodeNetworkOnce(t *testing.T) {
	env := testEnv(t, "default")
	write := func() {
		t.Helper()
		if err := writeNodeNetwork(env); err != nil {
			t.Fatal(err)
		}
	}
	write()
	hosttest.Put(t, env.Host, spec.NetworkFile, "of cni-install", 0o600)
	hosttest.Put(t, env.Host, spec.FlannelTree+"/subnet.env", "", 0o644)
	write()
	if got, err := env.Host.ReadFile(spec.NetworkFile); err != nil || string(got) != "of cni-install" {
		t.Errorf("%s, %v", got, err)
	}
	if err := os.Remove(env.Host.Path(spec.NetworkFile)); err != nil {
		t.Fatal(err)
	}
	write()
	if !env.Host.Exists(spec.NetworkFile) {
		t.Error("it is gone, and flannel may not run")
	}
}
