package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mountID tells on which mount something lies.
type mountID struct {
	id     uint64
	device uint64
	root   bool // it is where the mount begins
	dir    bool
}

// sameMount tells whether something lies on the same mount as the top of a tree. It
// compares the devices of directories too: a btrfs subvolume is no mount, and has a device
// of its own. A file does not count, as on an overlay it has the device of its layer.
func (m mountID) sameMount(top mountID) bool {
	return !m.root && m.id == top.id && (!m.dir || m.device == top.device)
}

// mountOf looks at a name in dir, or at dir itself if name is empty.
func mountOf(dir *os.File, name string) (mountID, error) {
	flags := unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT
	if name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	var st unix.Statx_t
	err := unix.Statx(int(dir.Fd()), name, flags, unix.STATX_TYPE|unix.STATX_MNT_ID, &st)
	id := mountID{
		id: st.Mnt_id, device: unix.Mkdev(st.Dev_major, st.Dev_minor),
		root: st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0,
		dir:  st.Mode&unix.S_IFMT == unix.S_IFDIR,
	}
	if err == nil && st.Mask&unix.STATX_MNT_ID == 0 {
		err = id.askProc(dir, name)
	}
	return id, err
}

// askProc fills in what kernels before 5.8 tell of open files alone.
func (m *mountID) askProc(dir *os.File, name string) error {
	above := "."
	if name == "" {
		name, above = ".", ".."
	}
	id, err := procMount(dir, name)
	if err != nil {
		return err
	}
	parent, err := procMount(dir, above)
	m.id, m.root = id, id != parent
	return err
}

func procMount(dir *os.File, name string) (uint64, error) {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer os.NewFile(uintptr(fd), name).Close()
	info := fmt.Sprintf("/proc/self/fdinfo/%d", fd)
	data, err := os.ReadFile(info)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if id, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			return strconv.ParseUint(strings.TrimSpace(id), 10, 64)
		}
	}
	return 0, fmt.Errorf("%s does not tell the mount", info)
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
		err = h.emptyTree(ctx, dir, r)
	}
	if err != nil {
		return err
	}
	if r.made() {
		return h.removeName(p, OpTree, unix.AT_REMOVEDIR)
	}
	restore := func() error { return errors.Join(applyOwnerAndMode(dir, r.Before), dir.Sync()) }
	if !slices.ContainsFunc(had, func(name string) bool { return !slices.Contains(r.Keep, name) }) {
		return h.quietly(restore)
	}
	h.plan.put(p.path, planned{emptied: true})
	return h.Do(OpTree, Empty, p.path, restore)
}

func (h *Host) emptyTree(ctx context.Context, dir *os.File, r Record) error {
	top, err := mountOf(dir, "")
	if err != nil {
		return err
	}
	if top.root && !r.Before.Mount {
		return mountInTheWay(r.Target)
	}
	if !top.root && r.Before.Mount {
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
	id, err := mountOf(p.dir, p.name)
	switch {
	case errors.Is(err, unix.ENOENT), s.h.plan.at(p.path).unmounted:
		return nil
	case err != nil:
		return p.wrap("stat", err)
	case !id.sameMount(s.top):
		return mountInTheWay(p.path)
	case id.dir:
		return s.removeDir(ctx, p)
	}
	return s.h.quietly(func() error { return p.unlink(0) })
}

// removeDir asks for the mount again once the directory is open: something may have been
// mounted there since.
func (s sweep) removeDir(ctx context.Context, p place) error {
	dir, err := openDir(p.dir, p.name)
	if err != nil {
		return p.wrap("open", err)
	}
	defer dir.Close()
	if id, err := mountOf(dir, ""); err != nil || !id.sameMount(s.top) {
		return errors.Join(err, mountInTheWay(p.path))
	}
	if err := s.empty(ctx, dir, p.path); err != nil {
		return err
	}
	return s.h.quietly(func() error { return p.unlink(unix.AT_REMOVEDIR) })
}
