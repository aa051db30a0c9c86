// Package spec says what should be: manifests, files of the kubelet and the runtime, the
// names in certificates, objects of the cluster. It is pure: what it gives follows from
// what it is given alone. It must not look at the machine, and must not change anything.
package spec

import (
	"bootstrap/phases/config"
	"bootstrap/phases/machine"
	"bootstrap/phases/patch"
)

// Spec is all that decides what should be on this node.
type Spec struct {
	Config  *config.Config // the cluster's and the node's settings
	Choices Choices        // what was decided by what the machine has
	Facts   machine.Facts
	Patches patch.Set
}
