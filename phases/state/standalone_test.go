package state

import (
	"testing"

	"bootstrap/phases/spec"
)

// makeStandalone is what init --standalone leaves, as far as the ledger tells.
func makeStandalone(t *testing.T, env *State) {
	t.Helper()
	if _, err := env.Host.WriteFile(spec.KubeletDropIn, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := env.Remember(StandaloneNote, StandaloneRecord); err != nil {
		t.Fatal(err)
	}
}
