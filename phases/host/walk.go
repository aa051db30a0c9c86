package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	h      *Host
	mode   walkMode
	perm   fs.FileMode // of the last directory, if it is made
	passed []openedDir // from the root to here
	rest   []string    // still to go
	base   string
	links  int
	made   bool
}

// openedDir is a directory that a walk has passed, or stands in.
type openedDir struct {
	dir   *os.File // nil if only a plan has made it
	path  string   // without links
	on    string   // the mount point that it lies below, empty if it is the root's
	mount bool     // it is a mount point itself
}

// place is a name in the directory.
func (d openedDir) place(name string) place {
	p := place{dir: d.dir, name: name, path: filepath.Join(d.path, name), on: d.on}
	if d.mount {
		p.on = d.path
	}
	return p
}

// walk goes to path. The walker must be closed, also when the error is
// fs.ErrNotExist: then it stands above the first name that is missing.
func (h *Host) walk(path string, mode walkMode) (*walker, error) {
	return h.walkPerm(path, mode, 0o755)
}

func (h *Host) walkPerm(path string, mode walkMode, perm fs.FileMode) (*walker, error) {
	w := &walker{h: h, mode: mode, perm: perm, rest: split(path), passed: []openedDir{{dir: h.dir, path: "/"}}}
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

func split(path string) []string {
	return strings.FieldsFunc(filepath.Clean("/"+path), func(r rune) bool { return r == '/' })
}

func (w *walker) run() error {
	var err error
	for len(w.rest) > 0 && err == nil {
		p := w.top().place(w.rest[0])
		switch {
		case !w.mode.endsAtName() || len(w.rest) > 1:
			err = w.step(p)
		case w.mode == walkFile && p.isLink():
			err = w.follow(p)
		default:
			w.base, w.rest = p.name, nil
		}
	}
	return err
}

func (w *walker) step(p place) error {
	dir, err := p.openDir()
	if errors.Is(err, unix.ENOTDIR) && p.isLink() {
		return w.follow(p)
	}
	if errors.Is(err, unix.ENOENT) && w.mode.makes() {
		dir, err = w.make(p)
	}
	if err != nil {
		return p.wrap("open", err)
	}
	if dir != nil && w.mode.makes() {
		if err := w.enter(dir, p.path); err != nil {
			dir.Close()
			return err
		}
	}
	w.passed = append(w.passed, openedDir{dir: dir, path: p.path, on: p.on, mount: isMountRoot(dir)})
	w.rest = w.rest[1:]
	return nil
}

// enter checks a directory on the way to what is to be written.
func (w *walker) enter(dir *os.File, path string) error {
	s, err := openState(dir)
	if err != nil {
		return err
	}
	if !ownUID(s.UID) {
		return ownedByOther(path, s.UID)
	}
	k := key{OpDir, path}
	return w.h.settle(k, func() error {
		made, _ := w.h.ledger.find(k)
		return applyOwnerAndMode(dir, made.After)
	})
}

// make makes one directory, unless another goroutine has made it since this walk found
// it missing: two would record and report it.
func (w *walker) make(p place) (*os.File, error) {
	w.h.making.Lock()
	defer w.h.making.Unlock()
	if w.h.plan.at(p.path).Kind == Dir {
		return nil, nil
	}
	if dir, err := p.openDir(); !errors.Is(err, unix.ENOENT) {
		return dir, err
	}
	w.made = true
	perm := fs.FileMode(0o755)
	if w.mode == walkMake && len(w.rest) == 1 {
		perm = w.perm
	}
	return w.h.makeDir(p, State{Kind: Dir, Mode: uint32(perm.Perm()), UID: os.Geteuid(), GID: os.Getegid()}, false)
}

// follow begins at the root again, with where the link leads instead of the link.
func (w *walker) follow(p place) error {
	if w.links++; w.links > maxLinks || !w.trusted(p) {
		return linkInTheWay(p.path)
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(p.dir.Fd()), p.name, buf)
	if err != nil {
		return p.wrap("readlink", err)
	}
	target := string(buf[:n])
	if !filepath.IsAbs(target) {
		target = filepath.Join(w.top().path, target)
	}
	w.close()
	w.rest = append(split(target), w.rest[1:]...)
	return nil
}

// trusted tells whether a link, such as /var/run or /bin, was made by root where only
// root can make one. Bootstrap makes no links, so one below a directory that bootstrap
// made is never followed to write or remove something.
func (w *walker) trusted(p place) bool {
	if w.mode == walkUndo || (w.mode != walkFile && w.h.ledger.ours(w.top().path)) {
		return false
	}
	link, err := lstat(p.dir, p.name)
	if err != nil {
		return false
	}
	dir, err := openState(p.dir)
	return err == nil && ownUID(int(link.Uid)) && ownUID(dir.UID) && dir.Mode&0o022 == 0
}

func ownUID(uid int) bool { return uid == 0 || uid == os.Geteuid() }

// top is the directory the walk stands in.
func (w *walker) top() openedDir { return w.passed[len(w.passed)-1] }

// path is the walk's path without links, with what is still to go.
func (w *walker) path() string {
	return filepath.Join(w.top().path, filepath.Join(w.rest...), w.base)
}

// place is where a walk has ended that ends at a name.
func (w *walker) place() place {
	p := w.top().place(w.base)
	p.path = w.path()
	return p
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
	for _, d := range w.passed[1:] {
		d.dir.Close()
	}
	w.passed = w.passed[:1]
}
