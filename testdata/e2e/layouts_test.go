package e2e

import "testing"

// TestLayouts: nothing foreign is lost, what should go goes, and what is left is
// named.
func TestLayouts(t *testing.T) {
	mounts := layoutGroup{name: "MountsAfterInit", layouts: mountsAfterInit()}
	before := layoutGroup{name: "BeforeInit", layouts: beforeInit()}
	everything := []layoutGroup{
		mounts,
		before,
		{name: "NewDisks", layouts: newDisks()},
		{name: "InOurPlaces", layouts: inOurPlaces()},
		{name: "KeptRuntime", prepare: (*Node).prepareSandbox, layouts: keptRuntime()},
		{name: "StoppedRuntime", layouts: stoppedRuntime()},
		{name: "MovedAndCovered", layouts: movedAndCovered()},
		{
			name:    "ExistingRuntime",
			prepare: (*Node).prepareExisting,
			layouts: existingRuntime(),
			others:  []string{"/var/lib/containerd", "/opt/containerd", "/run/containerd"},
		},
	}
	for _, g := range selected(t, everything, mounts, before) {
		t.Run(g.name, g.run)
	}
	t.Run("Refused", testRefused)
}
