package state

import (
	"testing"

	"bootstrap/phases/config"
)

// TestNothingRemembered: on a new machine, upon a standalone kubelet, and where that is gone,
// the defaults are meant.
func TestNothingRemembered(t *testing.T) {
	alone := config.Machine{Flags: config.Flags{Standalone: new(true)}}
	unused := func(env *State, m config.Machine) {
		t.Helper()
		if used, err := useRemembered(env, m); used || err != nil {
			t.Errorf("%v, %v", used, err)
		}
	}
	env := testEnv(t, "standalone")
	unused(env, otherMachine)
	unused(env, alone)
	makeStandalone(t, env)
	unused(env, otherMachine)
	if used, err := useRemembered(env, alone); !used || err != nil || !env.Config.Box.Standalone {
		t.Errorf("standalone again: %v, %v", used, err)
	}
	if err := env.Host.UndoAll(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	unused(env, alone)
}

// useRemembered makes the config that of what was made before, if there is one.
func useRemembered(env *State, m config.Machine) (bool, error) {
	c, patches, err := env.Remembered(m)
	if c == nil || err != nil {
		return false, err
	}
	env.Config, env.Patches = c, patches
	return true, nil
}
