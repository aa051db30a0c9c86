package state

import (
	"testing"

	"bootstrap/phases/config/configtest"
	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/spec"
)

// testState is of a machine on which nothing was made, with the config valid-NAME.yaml.
func testState(t *testing.T, name string) *State {
	t.Helper()
	h, _ := hosttest.New(t)
	return &State{Spec: spec.Spec{Config: configtest.Valid(t, name)}, Host: h}
}

// settledState is of a machine whose cluster was made with the default config.
func settledState(t *testing.T) *State {
	t.Helper()
	s := testState(t, "default")
	settle(t, s)
	return s
}

// settle makes what the settings end with, etcd's data, and keeps them.
func settle(t *testing.T, s *State) {
	t.Helper()
	if err := s.Host.For(host.Etcd).OwnTree(s.Config.Etcd.DataDir); err != nil {
		t.Fatal(err)
	}
	if err := s.KeepSettled(); err != nil {
		t.Fatal(err)
	}
}

// makeStandalone is what init --standalone leaves, as far as the ledger tells.
func makeStandalone(t *testing.T, s *State) {
	t.Helper()
	if _, err := s.Host.WriteFile(spec.KubeletDropIn, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Remember(StandaloneNote, StandaloneRecord); err != nil {
		t.Fatal(err)
	}
}
