package observe

import (
	"testing"
)

// TestSettledOnNewMachine: nothing is refused before there is a cluster.
func TestSettledOnNewMachine(t *testing.T) {
	env := testEnv(t, "custom")
	if found := env.CheckSettled(); len(found) > 0 {
		t.Errorf("%v", found)
	}
}
