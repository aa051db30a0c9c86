package diagnose

import (
	"slices"
	"testing"
)

// TestUnexplained: that a machine has too much to do is said, and only then.
func TestUnexplained(t *testing.T) {
	for crowding, want := range map[float64][]string{
		1.9: nil,
		3.2: {"the machine is busy: 3.2 processes for each CPU; a longer --timeout may be enough"},
	} {
		e := &Evidence{Machine: Machine{Crowding: crowding}}
		if got := catalogue(t).Unexplained(e, "not healthy"); !slices.Equal(got.Excerpt, want) {
			t.Errorf("%v processes for each CPU: %q", crowding, got.Excerpt)
		}
	}
}
