package diagnose

import "time"

// Machine is what is found on this machine, before anything of ours runs and while it
// does. What could not be read is zero, and named in Unread.
type Machine struct {
	Settings Settings
	Now      time.Time
	Unread   []string // what could not be looked at, each with its reason
	Crowding float64  // processes for each CPU

	System   System
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
	CNI      CNI
	Taken    Taken
	Unfit    Unfit
	Masked   []string // units that are masked, of those that are ours to start
	CRI      CRI
	PodURL   PodURL
	External []ExternalEtcd

	KubeletProxy Proxy
}
