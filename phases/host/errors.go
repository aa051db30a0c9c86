package host

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"al.essio.dev/pkg/shellescape"

	"bootstrap/phases/machine"
)

// ObstacleError says what on the machine is in the way of an effect, so that it was
// not made.
type ObstacleError struct {
	Path string // a path or a unit; empty for the machine's lock
	What string
	Fix  string // what the user can do
}

func (e *ObstacleError) Error() string { return e.What }

// Where is what the error is about.
func (e *ObstacleError) Where() string { return e.Path }

// Hint is what the user can do.
func (e *ObstacleError) Hint() string { return e.Fix }

// linkInTheWay is about a symbolic link, which somebody could have planted.
func linkInTheWay(path string) error {
	fix := fmt.Sprintf("see who made the link: ls -ld %[1]s; if nobody needs it: rm %[1]s", shellescape.Quote(path))
	return &ObstacleError{path, fmt.Sprintf("%q is a symbolic link, not followed", path), fix}
}

// ownedByOther is about what belongs to somebody else than root, who could have it
// open, or replace what is put there.
func ownedByOther(path string, uid int) error {
	what := fmt.Sprintf("%q belongs to user %d, who could change what is put there", path, uid)
	return &ObstacleError{path, what, "if it should be root's: chown root: " + shellescape.Quote(path)}
}

// notTheUsers is about what lies in a user's home and belongs to somebody else.
func notTheUsers(path string, uid int, user Owner) error {
	what := fmt.Sprintf("%q belongs to user %d, and lies in the home of user %d", path, uid, user.UID)
	return &ObstacleError{path, what, fmt.Sprintf("chown %d:%d %s", user.UID, user.GID, shellescape.Quote(path))}
}

// changedByOther is about what bootstrap made and somebody else has changed.
func changedByOther(r Record) error {
	fix := "keep what you need of it, then: rm " + shellescape.Quote(r.Target)
	if r.Shared {
		fix = "take out of it what is no longer needed"
	}
	return &ObstacleError{r.Target, r.Target + " was changed since bootstrap wrote it, and stays", fix}
}

// notEmpty is about a directory that bootstrap made, and what is left in it.
func notEmpty(path string, names []string) error {
	var some []string
	for _, name := range names[:min(len(names), 3)] {
		some = append(some, shellescape.Quote(name))
	}
	what := fmt.Sprintf("%s stays: it holds %s", path, strings.Join(some, ", "))
	return &ObstacleError{path, what, "ls -la " + shellescape.Quote(path)}
}

func mountInTheWay(path string) error {
	return &ObstacleError{path, fmt.Sprintf("%q is a mount point, and stays with what is in it", path), "umount " + shellescape.Quote(path)}
}

// otherMount is about a path that leads to another file system than when bootstrap
// wrote there: was and is are where those are mounted, empty for the root's.
func otherMount(path, was, is string) error {
	if len(is) < len(was) {
		what := fmt.Sprintf("%q lies on the file system that was mounted at %q, which is not mounted now", path, was)
		return &ObstacleError{was, what, "mount it again"}
	}
	what := fmt.Sprintf("%q is hidden by what was mounted since at %q, which stays with what is in it", path, is)
	return &ObstacleError{is, what, "umount " + shellescape.Quote(is)}
}

// inUse is about a mount or a cgroup that stays because of processes in it.
func inUse(path, what string, users []machine.Process, fix string) error {
	var names []string
	for _, p := range users[:min(3, len(users))] {
		names = append(names, p.String())
	}
	return &ObstacleError{path, what + strings.Join(names, ", "), fix}
}

// unitFailed is about a unit with which systemd did not do what it was asked to;
// result is systemd's word for it: failed, timeout, dependency, ...
func unitFailed(verb Verb, unit, result string) error {
	return &ObstacleError{unit, fmt.Sprintf("%s %s: %s", verb, unit, result), "journalctl -u " + unit + " -n 50"}
}

// IsFull tells that a file system has no space or inode left.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// IsReadOnly tells that a file system can't be written.
func IsReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }
