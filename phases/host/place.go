package host

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"al.essio.dev/pkg/shellescape"
	"golang.org/x/sys/unix"
)

// place is one name in an open directory. It is never reached through a link.
type place struct {
	dir  *os.File
	name string
	path string // without links, for the ledger and for errors
	on   string // the mount point it lies below
}

// open opens a file to read it. It does not wait for a writer if it is a FIFO.
func (p place) open() (*os.File, error) {
	f, err := openAt(p.dir, p.name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	return f, p.wrap("open", err)
}

// openRegular is open, and an error for what is no regular file.
func (p place) openRegular() (*os.File, State, error) {
	f, err := p.open()
	if err != nil {
		return nil, State{}, err
	}
	now, err := openState(f)
	if err == nil && now.Kind != File {
		err = fmt.Errorf("%s is not a regular file", p.path)
	}
	if err != nil {
		f.Close()
		return nil, State{}, err
	}
	return f, now, nil
}

// state looks at what is there. A link, or anything that is neither a file nor a
// directory, is an error.
func (p place) state() (State, error) {
	st, err := lstat(p.dir, p.name)
	if errors.Is(err, unix.ENOENT) {
		return State{Kind: Absent}, nil
	}
	if err != nil {
		return State{}, p.wrap("stat", err)
	}
	s := stateOf(st)
	switch {
	case s.Kind == File:
		s.SHA256, err = p.hash()
	case isLink(st):
		err = linkInTheWay(p.path)
	case s.Kind != Dir:
		err = fmt.Errorf("%s is neither a file nor a directory", p.path)
	}
	return s, err
}

func lstat(dir *os.File, name string) (st unix.Stat_t, err error) {
	err = unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return st, err
}

func (p place) isLink() bool {
	if p.dir == nil {
		return false
	}
	st, err := lstat(p.dir, p.name)
	return err == nil && isLink(st)
}

// openDir opens a directory. One below what only a plan has made can't be opened.
func (p place) openDir() (*os.File, error) {
	if p.dir == nil {
		return nil, unix.ENOENT
	}
	return openDir(p.dir, p.name)
}

func isLink(st unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFLNK }

// stateOf leaves out the hash of a file, and the kind of what is neither a file nor a
// directory.
func stateOf(st unix.Stat_t) State {
	s := State{Mode: st.Mode & 0o7777, UID: int(st.Uid), GID: int(st.Gid)}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		s.Kind = File
	case unix.S_IFDIR:
		s.Kind = Dir
	}
	return s
}

// openState is stateOf an open file or directory.
func openState(f *os.File) (State, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return State{}, fmt.Errorf("stat %s: %w", f.Name(), err)
	}
	return stateOf(st), nil
}

func (p place) hash() (string, error) {
	f, err := p.open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// setOwnerAndMode leaves the content as it is.
func (p place) setOwnerAndMode(want State) error {
	f, err := p.open()
	if err != nil {
		return err
	}
	defer f.Close()
	if err := applyOwnerAndMode(f, want); err != nil {
		return p.stuck("chmod", err)
	}
	return p.wrap("sync", f.Sync())
}

// applyOwnerAndMode sets the owner first: chown may drop mode bits.
func applyOwnerAndMode(f *os.File, want State) error {
	if err := unix.Fchown(int(f.Fd()), want.UID, want.GID); err != nil {
		return err
	}
	return unix.Fchmod(int(f.Fd()), want.Mode)
}

// unlink removes what is there, a directory with unix.AT_REMOVEDIR. The caller
// syncs the directory above.
func (p place) unlink(flags int) error {
	err := unix.Unlinkat(int(p.dir.Fd()), p.name, flags)
	switch {
	case err == nil, errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.EBUSY):
		return mountInTheWay(p.path)
	}
	return p.stuck("remove", err)
}

// remove removes a file, and returns once that is on the disk.
func (p place) remove() error {
	if err := p.unlink(0); err != nil {
		return err
	}
	return p.dir.Sync()
}

// stuck names the immutable or append-only flag, if that is why the kernel refuses a
// change: its EPERM alone says nothing.
func (p place) stuck(op string, err error) error {
	if errors.Is(err, unix.EPERM) && (p.immutable(p.name) || p.immutable(".")) {
		return &ObstacleError{p.path, fmt.Sprintf("%q is marked immutable", p.path), "chattr -i -a " + shellescape.Quote(p.path)}
	}
	return p.wrap(op, err)
}

func (p place) immutable(name string) bool {
	var st unix.Statx_t
	err := unix.Statx(int(p.dir.Fd()), name, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_TYPE, &st)
	return err == nil && st.Attributes&(unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_APPEND) != 0
}

func (p place) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: p.path, Err: err}
}

func openAt(dir *os.File, name string, flags int, perm uint32) (*os.File, error) {
	fd, err := unix.Openat(int(dir.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, perm)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), filepath.Join(dir.Name(), name)), nil
}

func openDir(dir *os.File, name string) (*os.File, error) {
	return openAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
}
