package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bootstrap/phases/machine"

	"al.essio.dev/pkg/shellescape"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// cgroupRoots is where the hierarchies of cgroups are mounted: one for version 2,
// one per controller for version 1, or both.
func cgroupRoots(mounts []*mountinfo.Info) []string {
	var roots []string
	for _, m := range mounts {
		if (m.FSType == "cgroup" || m.FSType == "cgroup2") && !slices.Contains(roots, m.Mountpoint) {
			roots = append(roots, m.Mountpoint)
		}
	}
	return roots
}

// unitsRoot is the hierarchy in which systemd keeps the processes of its units; empty
// if there is none.
func unitsRoot(mounts []*mountinfo.Info) string {
	root := ""
	for _, m := range mounts {
		switch {
		case m.FSType == "cgroup" && slices.Contains(strings.Split(m.VFSOptions, ","), "name=systemd"):
			return m.Mountpoint
		case m.FSType == "cgroup2" && root == "":
			root = m.Mountpoint
		}
	}
	return root
}

// findCgroups gives the cgroup of this name in every hierarchy, with all cgroups below it,
// deepest first.
func findCgroups(roots []string, name string) ([]string, error) {
	var found []string
	var errs []error
	for _, root := range roots {
		err := filepath.WalkDir(filepath.Join(root, name), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				found = append(found, path)
			}
			return goneIsFine(err)
		})
		errs = append(errs, err)
	}
	slices.Reverse(found) // WalkDir goes to a directory before what is in it
	return found, errors.Join(errs...)
}

// removeCgroup removes one empty cgroup. It is no error if there is none.
func removeCgroup(ctx context.Context, path string) error {
	err := whileBusy(ctx, func() error { return unix.Rmdir(path) })
	switch {
	case err == nil, errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.EBUSY):
		return busyCgroup(path, err)
	}
	return &fs.PathError{Op: "remove", Path: path, Err: err}
}

func busyCgroup(path string, cause error) error {
	users, err := cgroupMembers(path)
	if err != nil || len(users) == 0 {
		return errors.Join(&fs.PathError{Op: "remove", Path: path, Err: cause}, err)
	}
	return inUse(path, "cgroup "+path+" stays: it holds ", users, "see what these processes are: cat "+shellescape.Quote(path)+"/cgroup.procs")
}

// cgroupMembers is the processes in a cgroup and in all below it. A cgroup that is
// gone has none.
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

// goneIsFine drops the errors of a cgroup that was removed while it was read: the
// kernel may also answer ENODEV then.
func goneIsFine(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}
