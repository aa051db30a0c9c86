// Package state keeps what this machine's cluster was made by, so that the next command
// can make it again, change it or undo it. It must not decide what should be, and must
// not look at anything but the ledger and its own files.
package state

import (
	"slices"

	"bootstrap/phases/host"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
)

// State is what was made here before, beside what is wanted now.
type State struct {
	spec.Spec
	Host *host.Host
}

// These notes in the ledger keep the endpoint of a container runtime: RuntimeNote that of the one
// that the kubelet was given, ImagesNote that of the one that images were brought into. Init may
// have ended between the two.
const (
	RuntimeNote = "runtime"
	ImagesNote  = "images"
)

// UsedRuntime is the socket of the runtime that pods of this cluster run in.
func (s *State) UsedRuntime() (socket string, ok bool) {
	endpoint, ok := s.Host.Recall(RuntimeNote)
	return runtime.SocketPath(endpoint), ok
}

// OwnsRuntime tells whether init installed the runtime, also when it is gone already: a
// reset before may not have come to its end.
func (s *State) OwnsRuntime() bool {
	return slices.ContainsFunc(s.Host.Entries(), func(r host.Record) bool {
		return r.Target == spec.ContainerdUnit && r.Before.Kind == host.Absent
	})
}
