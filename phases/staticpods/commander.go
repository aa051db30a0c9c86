// Package staticpods has the commands for users' own static pods: on a kubelet of
// bootstrap's or on anybody's. Their files are the user's: they are written and removed
// through Host, but stand in no ledger, so that reset leaves them, and a machine that is
// not ours gets no ledger. It must not be imported by phases.
package staticpods

import (
	"bootstrap/phases/config"
	"bootstrap/phases/observe"
	"bootstrap/phases/ready"
)

// Commander carries out the commands on one machine.
type Commander struct{ *ready.Waiter }

// Open takes a machine whose kubelet may be anybody's: no config of ours counts.
func Open(o observe.Observer) *Commander {
	o.Config = &config.Config{}
	o.Tell = o.Tell.For("static-pod")
	o.Host = o.Host.Under("static-pod", o.Tell.Changed)
	return &Commander{&ready.Waiter{Observer: observe.Open(o)}}
}
