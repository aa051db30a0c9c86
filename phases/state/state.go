// Package state keeps what this machine's cluster was made by, so that the next command
// can make it again, change it or undo it. It must not decide what should be, and must
// not look at anything but the ledger and its own files.
package state

import (
	"bootstrap/phases/host"
	"bootstrap/phases/spec"
)

// State is what was made here before, beside what is wanted now.
type State struct {
	spec.Spec
	Host *host.Host
}
