package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// mountID tells on which mount an open directory lies. The device counts too: a btrfs
// subvolume is no mount, and has a device of its own.
type mountID struct {
	id     string
	device uint64
}

// mountOf asks /proc, as statx(2) tells the mount only since kernel 5.8.
func mountOf(dir *os.File) (mountID, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return mountID{}, err
	}
	info := fmt.Sprintf("/proc/self/fdinfo/%d", dir.Fd())
	data, err := os.ReadFile(info)
	if err != nil {
		return mountID{}, err
	}
	_, after, told := strings.Cut(string(data), "mnt_id:")
	if !told {
		return mountID{}, fmt.Errorf("%s does not tell the mount", info)
	}
	id, _, _ := strings.Cut(after, "\n")
	return mountID{id, st.Dev}, nil
}

// isMount tells whether a directory, which was opened in the one above it, is a mount point.
func isMount(dir, above *os.File) (bool, error) {
	inner, err := mountOf(dir)
	outer, outerErr := mountOf(above)
	return inner.id != outer.id, errors.Join(err, outerErr)
}

// isMount tells whether p is a directory and a mount point.
func (p place) isMount() (bool, error) {
	dir, err := openDir(p.dir, p.name)
	if err != nil {
		return false, err
	}
	defer dir.Close()
	return isMount(dir, p.dir)
}

// undoTree removes what is below p, and p itself if it was not there before.
func (h *Host) undoTree(ctx context.Context, p place, r Record) error {
	dir, err := openDir(p.dir, p.name)
	if err != nil {
		return p.wrap("open", err)
	}
	defer dir.Close()
	had, err := h.leftIn(p.path, dir)
	if err == nil {
		err = h.emptyTree(ctx, p, dir, r)
	}
	if err != nil {
		return err
	}
	if r.made() {
		return h.removeDir(p, OpTree)
	}
	restore := func() error { return errors.Join(applyOwnerAndMode(dir, r.Before), dir.Sync()) }
	if !slices.ContainsFunc(had, func(name string) bool { return !slices.Contains(r.Keep, name) }) {
		return h.quietly(restore)
	}
	h.plan.put(p.path, planned{emptied: true})
	return h.Do(OpTree, Empty, p.path, restore)
}

func (h *Host) emptyTree(ctx context.Context, p place, dir *os.File, r Record) error {
	top, err := mountOf(dir)
	mounted, mountErr := isMount(dir, p.dir)
	if err := errors.Join(err, mountErr); err != nil {
		return err
	}
	if mounted && !r.Before.Mount {
		return mountInTheWay(r.Target)
	}
	if !mounted && r.Before.Mount {
		return fmt.Errorf("%s was a mount point and is none now: what lies there was not ours", r.Target)
	}
	return sweep{h: h, top: top, tree: r}.empty(ctx, dir, r.Target)
}

// sweep removes all it can of a tree, and joins the errors about what stopped it.
type sweep struct {
	h    *Host
	top  mountID
	tree Record
}

func (s sweep) empty(ctx context.Context, dir *os.File, path string) error {
	names, err := dir.Readdirnames(-1)
	errs := []error{err}
	for _, name := range names {
		if ctx.Err() != nil {
			errs = append(errs, context.Cause(ctx))
			break
		}
		if path == s.tree.Target && slices.Contains(s.tree.Keep, name) {
			continue
		}
		errs = append(errs, s.remove(ctx, place{dir: dir, name: name, path: filepath.Join(path, name)}))
	}
	return errors.Join(errs...)
}

func (s sweep) remove(ctx context.Context, p place) error {
	if s.h.plan.at(p.path).unmounted {
		return nil
	}
	dir, err := openDir(p.dir, p.name)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.ENOTDIR): // a file or a link; one on which a file is mounted stays
		return s.h.quietly(func() error { return p.unlink(0) })
	case err != nil:
		return p.wrap("open", err)
	}
	defer dir.Close()
	if id, err := mountOf(dir); err != nil || id != s.top {
		return errors.Join(err, mountInTheWay(p.path))
	}
	if err := s.empty(ctx, dir, p.path); err != nil {
		return err
	}
	return s.h.quietly(func() error { return p.unlink(unix.AT_REMOVEDIR) })
}
