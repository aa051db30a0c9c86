package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// InTree changes what lies in a tree of ours, and goes with it: do is given the folder, which is brought to the disk
// after it. A plan only tells of what becomes of name.
func (h *Host) InTree(dir string, verb Verb, name string, do func(*os.Root) error) error {
	return h.Do(OpTree, verb, filepath.Join(dir, name), func() error {
		if !h.ledger.ours(filepath.Dir(h.Resolve(dir + "/x"))) {
			return fmt.Errorf("%s is not in the ledger as a folder whose content is bootstrap's", dir)
		}
		root, err := os.OpenRoot(h.Path(dir))
		if err != nil {
			return err
		}
		defer root.Close()
		top, err := root.Open(".")
		if err != nil {
			return err
		}
		defer top.Close()
		if err := do(root); err != nil {
			return err
		}
		return errors.Join(top.Sync(), unix.Syncfs(int(top.Fd())))
	})
}

// UserFolder opens a folder for the user's own files, of which nothing is recorded; one that is missing is made.
func (h *Host) UserFolder(path string) (*os.Root, error) {
	if err := os.MkdirAll(h.Path(path), 0o700); err != nil {
		return nil, err
	}
	return os.OpenRoot(h.Path(path))
}

// GiveTree gives all below a folder to the owner of another.
func (h *Host) GiveTree(dir, like string) error {
	var owner unix.Stat_t
	if err := unix.Stat(h.Path(like), &owner); err != nil {
		return &fs.PathError{Op: "stat", Path: like, Err: err}
	}
	return filepath.WalkDir(h.Path(dir), func(file string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(file, int(owner.Uid), int(owner.Gid)))
	})
}

// IsMountPoint tells whether a file system is mounted at a folder.
func (h *Host) IsMountPoint(path string) bool {
	w, err := h.walk(path, walkDir)
	defer w.close()
	return err == nil && isMountRoot(w.top().dir)
}
