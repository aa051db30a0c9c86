// Package spec says what should be: manifests, files of the kubelet and the runtime, the
// names in certificates, objects of the cluster. It is pure: what it gives follows from
// what it is given alone. It must not look at the machine, and must not change anything.
package spec

import (
	"strings"

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

// Choices are what is decided once, by what the machine has, when a command begins.
type Choices struct {
	Runtime Runtime
	Kubelet Kubelet // only of commands that install one
	Network Network
}

// Network is whose pod network this node has.
type Network struct {
	Foreign string // file of somebody else's CNI configuration; empty if there is none
	None    string // why this node gets no network of ours; empty if it gets one
}

// Own tells whether this cluster's pod network is ours.
func (n Network) Own() bool { return n.Foreign == "" && n.None == "" }

// Kubelet is the kubelet that runs on this node.
type Kubelet struct {
	Path    string
	Install bool   // comes from the bundle
	Why     string // why this one, for people
	None    error  // why there is none to run
}

// Runtime is the container runtime that the cluster uses.
type Runtime struct {
	Endpoint string // unix:///path
	Install  bool   // comes from the bundle
	Why      string // why this one, for people
	None     error  // why there is none to use
}

// Name is the runtime in words, for people.
func (r Runtime) Name() string {
	if r.Install {
		return "containerd of the bundle"
	}
	return "container runtime at " + strings.TrimPrefix(r.Endpoint, "unix://")
}
