package diagnose

import "time"

// Machine is what is found on this machine, before anything of ours runs and while it
// does. What could not be read is zero, and named in Unread.
type Machine struct {
	Settings Settings
	Now      time.Time
	Unread   []string // what could not be read in time, each with its reason
}

func machineEntries() []Entry { return nil }
