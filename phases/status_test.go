package phases

import (
	"testing"
	"time"

	"bootstrap/phases/status"
)

// TestStatusBeforeEtcd: what is there without a control plane is said to be so.
func TestStatusBeforeEtcd(t *testing.T) {
	env := testEnv(t, "default")
	s, err := status.Current(t.Context(), &env.Observer, time.Time{})
	if err != nil || s.Installed || s.Ready {
		t.Errorf("nothing was made: %+v, %v", s, err)
	}
	runPhase(t, env, runCerts)
	s, err = status.Current(t.Context(), &env.Observer, time.Time{})
	if err != nil || !s.Installed || s.Ready || s.Since == "" || len(s.Components) > 0 || len(s.Notes) != 1 {
		t.Errorf("only certificates were made: %+v, %v", s, err)
	}
}
