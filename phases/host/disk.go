package host

import (
	"errors"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Space is how much room the file system at a path has, in bytes, for root alone not
// counted.
type Space struct {
	Free uint64
	Size uint64
}

// Space looks at the file system that a path lies on, or will once it is made.
func (h *Host) Space(path string) (Space, error) {
	for {
		var s unix.Statfs_t
		err := unix.Statfs(h.Path(path), &s)
		if err == nil {
			block := uint64(s.Frsize)
			return Space{Free: s.Bavail * block, Size: s.Blocks * block}, nil
		}
		if !errors.Is(err, unix.ENOENT) || path == "/" {
			return Space{}, &fs.PathError{Op: "statfs", Path: path, Err: err}
		}
		path = filepath.Dir(path)
	}
}
