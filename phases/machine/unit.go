package machine

import (
	"os"
	"time"
)

// UnitState is what systemd says about a unit, in its words.
type UnitState struct {
	Load       string    // loaded, not-found, masked, ...
	Active     string    // active, inactive, failed, activating, ...
	Sub        string    // running, dead, auto-restart, ...
	Result     string    // success, exit-code, signal, ...; services only
	ExitStatus int       // of the main process; services only
	Started    time.Time // when the main process was, also one that has ended; services only
	Fragment   string    // path of the unit file
	Pending    bool      // it is about to be started or stopped
	Outdated   bool      // its files are others by now than systemd has read
	Enabled    string    // enabled, disabled, static, ...; empty if there is no file, or nobody has asked
	Needed     bool      // other units would be stopped with it
	OwnMounts  bool      // what its main process mounts, no other sees
}

// Running tells whether the unit has processes, or is about to have.
func (s UnitState) Running() bool {
	return s.Active != "" && s.Active != "inactive" && s.Active != "failed"
}

// OwnMounts tells whether what a process mounts is seen by no other: a setting of its unit, as PrivateMounts or
// ProtectSystem, has given it a copy of all mounts. It is false of a process that has ended.
func OwnMounts(pid int) bool { return apart(pid, 1) }

// apart tells whether two processes have different mounts, as far as the kernel shows it.
func apart(a, b int) bool {
	ofA, err := os.Readlink(procDir(a) + "/ns/mnt")
	ofB, errB := os.Readlink(procDir(b) + "/ns/mnt")
	return err == nil && errB == nil && ofA != ofB
}

// Drift is a file that is no longer as bootstrap wrote it.
type Drift struct {
	Path string `json:"path"`
	What string `json:"what"` // gone, changed, mode 0644, owner 1000:1000
}
