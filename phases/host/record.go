package host

import (
	"path/filepath"
	"slices"
	"strings"

	"bootstrap/phases/machine"
)

// Op is what kind of effect a Record is about.
type Op string

// The effects that a Host makes.
const (
	OpFile    Op = "file"         // written or removed
	OpDir     Op = "dir"          // made, or its mode made tighter
	OpTree    Op = "tree"         // everything that appears below is ours, or the file that appears there
	OpEnabled Op = "unit-enabled" // enabled
	OpActive  Op = "unit-active"  // started or stopped
	OpSysctl  Op = "sysctl"       // set
	OpModule  Op = "module"       // loaded
	OpImage   Op = "image"        // brought into a container runtime; see Record
	OpRules   Op = "rules"        // packet filter chains and tables that appear are ours
)

// Things that are removed without a record, as there is no state to bring back.
const (
	OpLink   Op = "link"
	OpCgroup Op = "cgroup"
	OpPod    Op = "pod"    // in the container runtime
	OpObject Op = "object" // in the API server
	OpMember Op = "etcd-member"
)

// Kind is what was, or is to be, at a path.
type Kind string

// The kinds of things a Host makes and finds.
const (
	Absent Kind = "absent"
	File   Kind = "file"
	Dir    Kind = "dir"
)

// State is what a target was before the first effect on it, or what the last effect
// makes it. Paths have a Kind; units, sysctls and modules have a Value.
type State struct {
	Kind   Kind   `json:"kind,omitempty"`
	Mode   uint32 `json:"mode,omitempty"` // permission bits, as in chmod(2)
	UID    int    `json:"uid,omitempty"`
	GID    int    `json:"gid,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Mount  bool   `json:"mount,omitempty"` // a tree that is a mount point
	Value  string `json:"value,omitempty"`
}

// Purpose is what an effect is for, where a later run must know that. It does not go by
// the name of the phase, which may change.
type Purpose string

// The purposes that later runs ask for.
const (
	Certificates Purpose = "certificates"
	Etcd         Purpose = "etcd"
	Runtime      Purpose = "runtime"
	Adopted      Purpose = "adopted" // made by others, and taken over with Adopt
	Mended       Purpose = "mended"  // by preflight's --fix, which is no run of init
	Other        Purpose = "other"
)

// purposesBefore are the purposes of records in a ledger of an earlier bootstrap, which
// wrote none: its phases' names told them.
var purposesBefore = map[string]Purpose{
	"certs": Certificates, "etcd": Etcd, "runtime": Runtime, "adopt": Adopted, "preflight": Mended,
}

// Record is all effects on one target, from the first one until it is undone.
type Record struct {
	ID     int    `json:"id"`
	By     string `json:"by"`   // who made the first effect: a phase; only to be shown
	Time   string `json:"time"` // of the first effect; RFC 3339, in UTC
	Op     Op     `json:"op"`
	Target string `json:"target"` // a path without links, a unit, a sysctl, a module, an image
	Before State  `json:"before"`
	After  State  `json:"after"`
	// On is the mount point that the target lies below, empty for the root's.
	On string `json:"on,omitempty"`
	// Keep is the names in a tree that were there before, and stay.
	Keep []string `json:"keep,omitempty"`
	// Shared is a file or directory in a user's home: what its owner did with it
	// since stays.
	Shared bool `json:"shared,omitempty"`
	Done   bool `json:"done"`   // the last effect was seen to end
	Undone bool `json:"undone"` // what was there before is there again

	Purpose Purpose `json:"-"` // of the first effect

	landed bool     // one of its effects was seen to end
	wrote  []string // hash of every content we ever meant to write there
	first  *Record  // of the same target, if this one is the second; see ledger.update
}

// made tells whether there was nothing at the path before bootstrap.
func (r Record) made() bool { return r.Before.Kind == Absent }

// isRestored tells whether the record is of KeepSysctl: of a setting that bootstrap does
// not change, and that undo gives the value of before.
func (r *Record) isRestored() bool { return r.Op == OpSysctl && r.After == State{} }

// isOurs tells whether a file has content that bootstrap wrote, or was about to write.
func (r *Record) isOurs(s State) bool {
	return s.Kind == File && slices.Contains(r.wrote, s.SHA256)
}

// superseded tells whether a new record must begin, since a file has content of others
// that undo has to restore: they put it there before bootstrap came to write its own, or
// after that in their own home.
func (r *Record) superseded(now State) bool {
	return r.Op == OpFile && (!r.landed || r.Shared) && now.Kind == File &&
		!r.isOurs(now) && now.SHA256 != r.Before.SHA256
}

// changesUnits tells whether systemd must read its unit files again.
func (r *Record) changesUnits() bool {
	inDir := func(dir string) bool { return strings.HasPrefix(r.Target, dir+"/") }
	return r.Op == OpEnabled || (r.Op == OpFile && slices.ContainsFunc(machine.UnitDirs, inDir))
}

// above yields path and every directory above it, save the root.
func above(path string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for ; path != "/" && path != "."; path = filepath.Dir(path) {
			if !yield(path) {
				return
			}
		}
	}
}
