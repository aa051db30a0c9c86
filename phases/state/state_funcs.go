package state

import (
	"slices"

	"bootstrap/phases/host"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
)

// usedRuntime is the socket of the runtime that pods of this cluster run in.
func (s *State) UsedRuntime() (socket string, ok bool) {
	endpoint, ok := s.Host.Recall(RuntimeNote)
	return runtime.SocketPath(endpoint), ok
}

// ownsRuntime also when it is gone already: a reset before did not come to its end.
func (s *State) OwnsRuntime() bool {
	return slices.ContainsFunc(s.Host.Entries(), func(r host.Record) bool {
		return r.Target == spec.ContainerdUnit && r.Before.Kind == host.Absent
	})
}
