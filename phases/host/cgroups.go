package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/machine"

	"golang.org/x/sys/unix"
)

// cgroupRoots is where the hierarchies of cgroups are mounted: one for version 2,
// one per controller for version 1, or both.
func cgroupRoots(mounts []mountPoint) []string {
	var roots []string
	for _, m := range mounts {
		if (m.Type == "cgroup" || m.Type == "cgroup2") && !slices.Contains(roots, m.Path) {
			roots = append(roots, m.Path)
		}
	}
	return roots
}

// unitsRoot is the hierarchy in which systemd keeps the processes of its units; empty
// if there is none.
func unitsRoot(mounts []mountPoint) string {
	root := ""
	for _, m := range mounts {
		switch {
		case m.Type == "cgroup" && slices.Contains(strings.Split(m.Super, ","), "name=systemd"):
			return m.Path
		case m.Type == "cgroup2" && root == "":
			root = m.Path
		}
	}
	return root
}

// findCgroups gives every cgroup that one of the patterns names, in every hierarchy,
// with all below it, deepest first. Patterns are as matchPath has them, below the
// root of a hierarchy: "/kubepods.slice".
func findCgroups(roots, patterns []string) ([]string, error) {
	var found []string
	var errs []error
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // it went meanwhile
			}
			if err == nil && d.IsDir() && isOrIsBelowMatch(patterns, strings.TrimPrefix(path, root)) {
				found = append(found, path)
			}
			return err
		})
		errs = append(errs, err)
	}
	slices.Reverse(found) // WalkDir goes to a directory before what is in it
	return found, errors.Join(errs...)
}

func isOrIsBelowMatch(patterns []string, path string) bool {
	for p := range above(path) {
		if matchAny(patterns, p) {
			return true
		}
	}
	return false
}

// BusyCgroupError says that processes are left in a cgroup.
type BusyCgroupError struct {
	Path  string
	Users []string // up to three of them
}

func (e *BusyCgroupError) Error() string {
	return fmt.Sprintf("cgroup %s stays: it holds %s", e.Path, strings.Join(e.Users, ", "))
}

// Where is what the error is about.
func (e *BusyCgroupError) Where() string { return e.Path }

// Hint is what the user can do.
func (e *BusyCgroupError) Hint() string {
	return "see what these processes are: cat " + shellQuote(e.Path) + "/cgroup.procs"
}

// removeCgroup removes one empty cgroup. It is no error if there is none.
func removeCgroup(ctx context.Context, path string) error {
	for attempt := 1; ; attempt++ {
		err := unix.Rmdir(path)
		switch {
		case err == nil, errors.Is(err, unix.ENOENT):
			return nil
		case !errors.Is(err, unix.EBUSY):
			return &fs.PathError{Op: "remove", Path: path, Err: err}
		case attempt == busyAttempts:
			return busyCgroup(path, err)
		}
		// A process that has ended counts until the kernel is through with it.
		select {
		case <-time.After(busyPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func busyCgroup(path string, cause error) error {
	users, err := cgroupMembers(path)
	if err != nil || len(users) == 0 {
		return errors.Join(&fs.PathError{Op: "remove", Path: path, Err: cause}, err)
	}
	e := &BusyCgroupError{Path: path}
	for _, p := range users[:min(3, len(users))] {
		e.Users = append(e.Users, p.String())
	}
	return e
}

// cgroupMembers is the processes in a cgroup and all below it. One that is gone has
// none.
func cgroupMembers(path string) ([]machine.Process, error) {
	var all []machine.Process
	err := filepath.WalkDir(path, func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return goneIsFine(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for pid := range strings.FieldsSeq(string(data)) {
			all = append(all, machine.ReadProcess(pid))
		}
		return goneIsFine(err)
	})
	return all, err
}

// goneIsFine: a cgroup may go at any time; reading one that just went is ENODEV.
func goneIsFine(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}
