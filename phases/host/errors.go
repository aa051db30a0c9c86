package host

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// LockedError says that another process holds the machine's lock.
type LockedError struct {
	PID     int // 0 if the holder has not said yet
	Command string
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return "another bootstrap is at work on this machine"
	}
	return fmt.Sprintf("another bootstrap is at work on this machine: pid %d (%s)", e.PID, e.Command)
}

// Hint is what the user can do.
func (e *LockedError) Hint() string {
	return "wait until it ends, or stop it, and run the command again"
}

// LinkError says that a symbolic link lies where a file or directory should be, and
// that it could have been planted.
type LinkError struct{ Path string }

func (e *LinkError) Error() string { return fmt.Sprintf("%q is a symbolic link, not followed", e.Path) }

// Where is what the error is about.
func (e *LinkError) Where() string { return e.Path }

// Hint is what the user can do.
func (e *LinkError) Hint() string { return "see who made the link: ls -ld " + shellQuote(e.Path) }

// OwnerError says that a file or directory in the way belongs to somebody else than
// root, who could change what is put there.
type OwnerError struct {
	Path string
	UID  int
}

func (e *OwnerError) Error() string {
	return fmt.Sprintf("%q belongs to user %d, who could change what is put there", e.Path, e.UID)
}

// Hint is what the user can do.
func (e *OwnerError) Hint() string {
	return "if it should be root's: chown root: " + shellQuote(e.Path)
}

// ChangedError says that something bootstrap made was changed by someone else, so
// that it is not removed.
type ChangedError struct {
	Path   string
	Shared bool // it lies in a user's home
}

func (e *ChangedError) Error() string {
	return e.Path + " was changed since bootstrap wrote it, and stays"
}

// Where is what the error is about.
func (e *ChangedError) Where() string { return e.Path }

// Hint is what the user can do.
func (e *ChangedError) Hint() string {
	if e.Shared {
		return "take out of it what is no longer needed"
	}
	return "keep what you need of it, then: rm " + shellQuote(e.Path)
}

// LeftoverError says that a directory bootstrap made holds files of others, so that
// it is not removed.
type LeftoverError struct {
	Path string
	Left []string // up to three of them
}

func (e *LeftoverError) Error() string {
	return fmt.Sprintf("%s stays: it holds %s", e.Path, strings.Join(e.Left, ", "))
}

// Where is what the error is about.
func (e *LeftoverError) Where() string { return e.Path }

// Hint is what the user can do.
func (e *LeftoverError) Hint() string { return "ls -la " + shellQuote(e.Path) }

// MountError says that a file system is mounted at a path, and that nothing in it
// was removed.
type MountError struct{ Path string }

func (e *MountError) Error() string {
	return fmt.Sprintf("%q is a mount point, and stays with what is in it", e.Path)
}

// Where is what the error is about.
func (e *MountError) Where() string { return e.Path }

// Hint is what the user can do.
func (e *MountError) Hint() string { return "umount " + shellQuote(e.Path) }

// OtherMountError says that a path leads to another file system than when bootstrap
// wrote there, so that nothing is touched.
type OtherMountError struct {
	Path    string
	Was, Is string // mount points; empty for the root's
}

func (e *OtherMountError) Error() string {
	if e.Is == "" || len(e.Is) < len(e.Was) {
		return fmt.Sprintf("%q lies on the file system that was mounted at %q, which is not mounted now", e.Path, e.Was)
	}
	return fmt.Sprintf("%q is hidden by what was mounted since at %q, which stays with what is in it", e.Path, e.Is)
}

// Where is what the error is about.
func (e *OtherMountError) Where() string { return e.mount() }

func (e *OtherMountError) mount() string {
	if len(e.Is) < len(e.Was) {
		return e.Was
	}
	return e.Is
}

// Hint is what the user can do.
func (e *OtherMountError) Hint() string {
	if len(e.Is) < len(e.Was) {
		return "mount it again"
	}
	return "umount " + shellQuote(e.Is)
}

// ImmutableError says that the immutable or append-only flag keeps a path as it is.
type ImmutableError struct{ Path string }

func (e *ImmutableError) Error() string { return fmt.Sprintf("%q is marked immutable", e.Path) }

// Where is what the error is about.
func (e *ImmutableError) Where() string { return e.Path }

// Hint is what the user can do.
func (e *ImmutableError) Hint() string { return "chattr -i -a " + shellQuote(e.Path) }

// UnitError says that systemd did not do what it was asked to do with a unit.
type UnitError struct {
	Unit   string
	Verb   string // start, stop, restart
	Result string // as systemd calls it: failed, timeout, dependency, ...
}

func (e *UnitError) Error() string { return fmt.Sprintf("%s %s: %s", e.Verb, e.Unit, e.Result) }

// Where is what the error is about.
func (e *UnitError) Where() string { return e.Unit }

// Hint is what the user can do.
func (e *UnitError) Hint() string { return "journalctl -u " + e.Unit + " -n 50" }

func shellQuote(s string) string {
	if !strings.ContainsFunc(s, unsafe) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func unsafe(r rune) bool {
	return !strings.ContainsRune("/._-+:@%", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// IsFull tells that a file system has no space or inode left.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// IsReadOnly tells that a file system can't be written.
func IsReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }
