package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/machine"

	"al.essio.dev/pkg/shellescape"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// readMounts gives all mounts of this process's view, as the kernel lists them.
func readMounts() ([]*mountinfo.Info, error) { return mountinfo.GetMounts(nil) }

func matchAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := filepath.Match(pattern, path)
		return ok && err == nil
	})
}

// mountCounts is how many mounts there are at each path that matches. Counted before the
// daemons start, it tells later which mounts are not theirs. The ids of mounts can't tell
// that, as they change when the machine boots.
func mountCounts(mounts []*mountinfo.Info, patterns []string) map[string]int {
	counts := map[string]int{}
	for _, m := range mounts {
		if matchAny(patterns, m.Mountpoint) {
			counts[m.Mountpoint]++
		}
	}
	return counts
}

// pickMounts gives the mounts that must go, in this order, and an error for each that
// can't. A mount must go if it matches one of the patterns and is not among those of
// before. The kernel lists what daemons have mounted after what that is mounted on.
func pickMounts(mounts []*mountinfo.Info, patterns []string, before map[string]int) (gone []*mountinfo.Info, held []error) {
	ours := ownMounts(mounts, patterns, before)
	var stay []*mountinfo.Info // of those seen so far, the newest first
	for _, m := range slices.Backward(mounts) {
		if !ours[m] {
			stay = append(stay, m)
			continue
		}
		holder := slices.IndexFunc(stay, func(newer *mountinfo.Info) bool {
			return isAtOrBelow(newer.Mountpoint, m.Mountpoint) || isAtOrBelow(m.Mountpoint, newer.Mountpoint)
		})
		if holder < 0 {
			gone = append(gone, m)
			continue
		}
		held = append(held, heldMount(m.Mountpoint, stay[holder].Mountpoint))
		stay = append(stay, m)
	}
	return gone, held
}

// ownMounts are the mounts that match. Of those at one path, the oldest are left out, as
// many as there were before.
func ownMounts(mounts []*mountinfo.Info, patterns []string, before map[string]int) map[*mountinfo.Info]bool {
	ours, seen := map[*mountinfo.Info]bool{}, map[string]int{}
	for _, m := range mounts {
		seen[m.Mountpoint]++
		ours[m] = seen[m.Mountpoint] > before[m.Mountpoint] && matchAny(patterns, m.Mountpoint)
	}
	return ours
}

// heldMount is about a mount of the daemons that must stay because of another one.
func heldMount(path, by string) error {
	why := "something else is mounted below, at"
	if !isAtOrBelow(by, path) {
		why = "it is covered by the mount at"
	}
	return &ObstacleError{path, fmt.Sprintf("%q stays mounted: %s %q", path, why, by), "umount " + shellescape.Quote(by)}
}

func isAtOrBelow(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// mountInUse is about a mount in which processes stand.
func mountInUse(path string, users []machine.Process) error {
	what := fmt.Sprintf("%q stays mounted: it is in use", path)
	if len(users) > 0 {
		what += " by "
	}
	return inUse(path, what, users, "fuser -vm "+shellescape.Quote(path))
}

const (
	unmountTimeout = 5 * time.Second
	busyAttempts   = 10
	busyPause      = 100 * time.Millisecond
)

// unmount takes the topmost mount at path away, by a call to the kernel. It is no error if
// there is none. It does not wait longer than unmountTimeout: what it leaves waiting is a
// thread that changes nothing else.
func unmount(ctx context.Context, path string, call func(string, int) error) error {
	done := make(chan error, 1)
	go func() { done <- unmountBusy(ctx, path, call) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("unmount %q: %w", path, context.Cause(ctx))
	case <-time.After(unmountTimeout):
		return fmt.Errorf("unmount %q: the kernel does not answer for %v: is it of a network file system whose server is gone?", path, unmountTimeout)
	}
}

func unmountBusy(ctx context.Context, path string, call func(string, int) error) error {
	err := whileBusy(ctx, func() error { return call(path, unix.UMOUNT_NOFOLLOW) })
	switch {
	case errors.Is(err, unix.EBUSY):
		return mountInUse(path, mountUsers(path))
	case err == nil, errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT): // no mount is there
		return nil
	}
	return fmt.Errorf("unmount %q: %w", path, err)
}

// whileBusy does something again a few times as long as the kernel says that it is in
// use: a process that was just killed holds its mounts and cgroups for a moment.
func whileBusy(ctx context.Context, do func() error) error {
	err := do()
	for attempt := 1; errors.Is(err, unix.EBUSY) && attempt < busyAttempts && ctx.Err() == nil; attempt++ {
		time.Sleep(busyPause)
		err = do()
	}
	return err
}

// mountUsers are the processes that stand in a mount, or run from it.
func mountUsers(path string) []machine.Process {
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is good
	var users []machine.Process
	for _, dir := range dirs {
		if standsIn(dir, path) {
			users = append(users, machine.ReadProcess(filepath.Base(dir)))
		}
	}
	return users
}

func standsIn(proc, path string) bool {
	for _, name := range []string{"cwd", "root", "exe"} {
		link, err := os.Readlink(filepath.Join(proc, name))
		if err == nil && isAtOrBelow(link, path) {
			return true
		}
	}
	return false
}
