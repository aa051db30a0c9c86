package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const maxLinks = 40 // as many as the kernel follows

// walkMode says where a walk ends and what it does on its way.
type walkMode int

const (
	walkFile   walkMode = iota // to a file to be read; its last name may be a link
	walkWrite                  // to a file to be written; missing directories are made
	walkRemove                 // to a file to be removed
	walkDir                    // to a directory
	walkMake                   // to a directory; it and those above it are made
	walkUndo                   // to what the ledger names; no links at all
)

// endsAtName tells whether the walk ends in the directory above, with the last name of
// the path in base.
func (m walkMode) endsAtName() bool { return m != walkDir && m != walkMake }

func (m walkMode) makes() bool { return m == walkWrite || m == walkMake }

// walker goes down from the root one open directory at a time, so that no name it
// has passed can be swapped for a link behind its back.
type walker struct {
	h     *Host
	mode  walkMode
	perm  fs.FileMode // of the last directory, if it is made
	dirs  []*os.File  // from the root to here
	roots []bool      // of dirs: a mount begins there
	names []string    // of dirs, without the root; none is a link
	rest  []string    // still to go
	base  string
	links int
	made  bool
}

// walk goes to path. The walker must be closed, also when the error is
// fs.ErrNotExist: then it stands above the first name that is missing.
func (h *Host) walk(path string, mode walkMode) (*walker, error) {
	return h.walkPerm(path, mode, 0o755)
}

func (h *Host) walkPerm(path string, mode walkMode, perm fs.FileMode) (*walker, error) {
	w := &walker{h: h, mode: mode, perm: perm, rest: split(path)}
	if mode.endsAtName() && len(w.rest) == 0 {
		return nil, fmt.Errorf("%s is a directory", path)
	}
	err := w.run()
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return w, err
	}
	w.close()
	return nil, err
}

// find goes to a file that may be removed. Both results are nil if its directory is not
// there.
func (h *Host) find(path string) (*walker, error) {
	w, err := h.walk(path, walkRemove)
	if err == nil || w == nil {
		return w, err
	}
	w.close()
	return nil, nil
}

func split(path string) []string {
	return strings.FieldsFunc(filepath.Clean("/"+path), func(r rune) bool { return r == '/' })
}

func (w *walker) run() error {
	for len(w.rest) > 0 {
		name := w.rest[0]
		if w.mode.endsAtName() && len(w.rest) == 1 && name != ".." {
			if w.mode == walkFile && w.isLink(name) {
				if err := w.follow(name); err != nil {
					return err
				}
				continue
			}
			w.base, w.rest = name, nil
			return nil
		}
		if err := w.step(name); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) step(name string) error {
	if name == ".." {
		w.up()
		return nil
	}
	dir, err := w.open(name)
	if errors.Is(err, unix.ENOTDIR) && w.isLink(name) {
		return w.follow(name)
	}
	if errors.Is(err, unix.ENOENT) && w.mode.makes() {
		dir, err = w.make(name)
	}
	if err != nil {
		return &fs.PathError{Op: "open", Path: w.pathOf(name), Err: err}
	}
	if dir != nil && w.mode.makes() {
		if err := w.enter(dir, name); err != nil {
			dir.Close()
			return err
		}
	}
	w.roots = append(w.roots, isMountRoot(dir))
	w.dirs, w.names, w.rest = append(w.dirs, dir), append(w.names, name), w.rest[1:]
	return nil
}

// open opens the next directory. One that a plan would make can't be opened.
func (w *walker) open(name string) (*os.File, error) {
	if w.top() == nil {
		return nil, unix.ENOENT
	}
	return openDir(w.top(), name)
}

// enter checks a directory on the way to what is to be written.
func (w *walker) enter(dir *os.File, name string) error {
	s, err := openState(dir)
	if err != nil {
		return err
	}
	if !ownUID(s.UID) {
		return ownedByOther(w.pathOf(name), s.UID)
	}
	return w.h.finishDir(dir, w.pathOf(name))
}

func (w *walker) up() {
	w.rest = w.rest[1:]
	if len(w.dirs) == 0 {
		return
	}
	w.top().Close()
	n := len(w.dirs) - 1
	w.dirs, w.names, w.roots = w.dirs[:n], w.names[:n], w.roots[:n]
}

// make makes one directory, unless another goroutine has made it since this walk found
// it missing: two would record and report it.
func (w *walker) make(name string) (*os.File, error) {
	w.h.making.Lock()
	defer w.h.making.Unlock()
	if w.h.plan.at(w.pathOf(name)).Kind == Dir {
		return nil, nil
	}
	if dir, err := w.open(name); !errors.Is(err, unix.ENOENT) {
		return dir, err
	}
	w.made = true
	perm := fs.FileMode(0o755)
	if w.mode == walkMake && len(w.rest) == 1 {
		perm = w.perm
	}
	p := place{dir: w.top(), name: name, path: w.pathOf(name), on: w.on(len(w.dirs))}
	return w.h.makeDir(p, State{Kind: Dir, Mode: uint32(perm.Perm()), UID: os.Geteuid(), GID: os.Getegid()}, false)
}

func (w *walker) isLink(name string) bool {
	if w.top() == nil {
		return false
	}
	st, err := lstat(w.top(), name)
	return err == nil && isLink(st)
}

// follow replaces a link by where it leads.
func (w *walker) follow(name string) error {
	if w.links++; w.links > maxLinks || !w.trusted(name) {
		return linkInTheWay(w.pathOf(name))
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(w.top().Fd()), name, buf)
	if err != nil {
		return &fs.PathError{Op: "readlink", Path: w.pathOf(name), Err: err}
	}
	target := string(buf[:n])
	if strings.HasPrefix(target, "/") {
		w.close()
	}
	parts := strings.FieldsFunc(target, func(r rune) bool { return r == '/' })
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "." })
	w.rest = append(parts, w.rest[1:]...)
	return nil
}

// trusted tells whether a link, such as /var/run or /bin, was made by root where only
// root can make one. Bootstrap makes no links, so one below a directory that bootstrap
// made is never followed to write or remove something.
func (w *walker) trusted(name string) bool {
	if w.mode == walkUndo || (w.mode != walkFile && w.h.ledger.ours("/"+filepath.Join(w.names...))) {
		return false
	}
	link, err := lstat(w.top(), name)
	if err != nil {
		return false
	}
	dir, err := openState(w.top())
	return err == nil && ownUID(int(link.Uid)) && ownUID(dir.UID) && dir.Mode&0o022 == 0
}

func ownUID(uid int) bool { return uid == 0 || uid == os.Geteuid() }

// top is the directory the walk stands in; nil if only a plan has made it.
func (w *walker) top() *os.File {
	if len(w.dirs) == 0 {
		return w.h.dir
	}
	return w.dirs[len(w.dirs)-1]
}

// path is the walk's path without links, with what is still to go.
func (w *walker) path() string {
	return "/" + filepath.Join(filepath.Join(w.names...), filepath.Join(w.rest...), w.base)
}

func (w *walker) pathOf(name string) string {
	return "/" + filepath.Join(filepath.Join(w.names...), name)
}

// place is where a walk has ended that ends at a name.
func (w *walker) place() place {
	return place{dir: w.top(), name: w.base, path: w.path(), on: w.on(len(w.dirs))}
}

// on is the deepest mount point among the first n directories, empty if it is the
// root's.
func (w *walker) on(n int) string {
	for i := n - 1; i >= 0; i-- {
		if w.roots[i] {
			return "/" + filepath.Join(w.names[:i+1]...)
		}
	}
	return ""
}

func isMountRoot(dir *os.File) bool {
	if dir == nil {
		return false
	}
	id, err := mountOf(dir, "")
	return err == nil && id.root
}

// close does nothing to a nil walker, which a walk that failed gives.
func (w *walker) close() {
	if w == nil {
		return
	}
	for _, dir := range w.dirs {
		dir.Close()
	}
	w.dirs, w.names, w.roots = nil, nil, nil
}
