package diagnose

import (
	"slices"
	"time"
)

// Machine is what is found on this machine, before anything of ours runs and while it
// does. What could not be read is zero, and named in Unread.
type Machine struct {
	Settings Settings
	Now      time.Time
	Unread   []string // what could not be looked at, each with its reason
	Crowding float64  // processes for each CPU

	System   System
	Cgroups  Cgroups
	Disks    []Disk
	Clock    Clock
	Limits   Limits
	Modules  []Module
	Network  Network
	Resolver Resolver
	Name     Name
	Firewall Firewall
	Proxy    Proxy
	Endpoint Endpoint
	Foreign  Foreign
	Masked   []string // units that are masked, of those that are ours to start
	CRI      CRI
	PodURL   PodURL
	External []ExternalEtcd
}

func machineEntries() []Entry {
	return slices.Concat(systemEntries(), cgroupEntries(), diskEntries(), clockEntries(), kernelEntries(), addressEntries(), resolverEntries())
}

// preflightEntries are what is looked at only before init.
func preflightEntries() []Entry {
	return slices.Concat(nameEntries(), firewallEntries(), proxyEntries(), foreignEntries(), podURLEntries(), programEntries(), decidedEntries())
}

// findingIf is a list of one finding, or none.
func findingIf(found bool, f Finding) []Finding {
	if !found {
		return nil
	}
	return []Finding{f}
}

// causeToo makes a check of the machine the cause of a wait that comes to nothing.
func causeToo(check func(*Machine) []Finding) func(*Evidence) []Finding {
	return func(e *Evidence) []Finding { return check(&e.Machine) }
}
