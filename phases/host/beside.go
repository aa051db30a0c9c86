package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// OpenBeside is Open without the machine's lock, for work beside that of others: what is recorded can't be
// changed with it, only files of the user's own.
func OpenBeside(root string, units Units) (*Host, error) {
	h, err := openRoot(root, units)
	if err != nil {
		return nil, err
	}
	if h.ledger, err = readLedger(h.Path("/")); err != nil {
		h.dir.Close()
		return nil, err
	}
	h.ledger.dry = true
	return h, nil
}

// Beside is a Host as OpenBeside gives it, of the same machine.
func (h *Host) Beside() (*Host, error) { return OpenBeside(h.Path("/"), h.units) }

var errBeside = errors.New("an effect to be recorded, on a Host without the machine's lock: a defect of bootstrap")

// DirUnrecorded makes a folder for the user's own files, which only root may enter.
func (h *Host) DirUnrecorded(path string) error {
	if h.Exists(path) {
		return nil
	}
	w, err := h.walk(path, walkRemove)
	defer w.close()
	if err != nil {
		return err
	}
	return h.quietly(func() error {
		dir, err := w.place().mkdir(State{Kind: Dir, Mode: 0o700, UID: os.Geteuid(), GID: os.Getegid()})
		return errors.Join(err, dir.Close())
	})
}

// Written is what a stream has written.
type Written struct {
	Size   int64
	SHA256 string
}

// StreamUnrecorded writes a file of the user's own, of which neither size nor hash are known beforehand. It is there as a whole once it is on the disk, or not at all; it is read again from there,
// and compared.
func (h *Host) StreamUnrecorded(path string, mode fs.FileMode, write func(io.Writer) error) (Written, error) {
	var written Written
	w, err := h.walk(path, walkRemove)
	defer w.close()
	if err != nil {
		return written, err
	}
	p, sum := w.place(), sha256.New()
	counted := writerFunc(func(b []byte) (int, error) {
		written.Size += int64(len(b))
		return sum.Write(b)
	})
	err = h.quietly(func() error {
		return p.replace(fileState(mode, ""), func(w io.Writer) error { return write(io.MultiWriter(w, counted)) })
	})
	if err != nil {
		return written, err
	}
	written.SHA256 = hex.EncodeToString(sum.Sum(nil))
	now, err := h.state(p)
	if err == nil && now.SHA256 != written.SHA256 {
		err = fmt.Errorf("%s: what was read again is not what was written: the disk, or the memory, is damaged", path)
	}
	return written, err
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// RenameInTree gives another name to what lies in a tree of ours: all of that goes with the tree.
func (h *Host) RenameInTree(dir, from, to string) error {
	return h.inTree(dir, func(at *os.File, path string) error {
		return h.Do(OpTree, Update, filepath.Join(path, to), func() error {
			err := unix.Renameat2(int(at.Fd()), from, int(at.Fd()), to, unix.RENAME_NOREPLACE)
			if err != nil {
				return &fs.PathError{Op: "rename " + from + " to", Path: filepath.Join(path, to), Err: err}
			}
			return at.Sync()
		})
	})
}

// RemoveInTree removes what lies in a tree of ours; none is fine.
func (h *Host) RemoveInTree(dir, name string) error {
	return h.inTree(dir, func(at *os.File, path string) error {
		return h.quietly(func() error {
			return errors.Join(os.RemoveAll(filepath.Join(at.Name(), name)), at.Sync())
		})
	})
}

// inTree opens a folder in a tree of ours. In a plan it may not be there yet, and at is nil.
func (h *Host) inTree(dir string, do func(at *os.File, path string) error) error {
	if h.plan != nil {
		return do(nil, dir)
	}
	w, err := h.walk(dir, walkDir)
	defer w.close()
	if err != nil {
		return err
	}
	if !h.ledger.ours(w.path()) {
		return fmt.Errorf("%s is not in the ledger as a folder whose content is bootstrap's", w.path())
	}
	at, err := os.Open(h.Path(w.path()))
	if err != nil {
		return err
	}
	defer at.Close()
	return do(at, w.path())
}

// IsMountPoint tells whether a file system is mounted at a folder.
func (h *Host) IsMountPoint(path string) bool {
	w, err := h.walk(path, walkDir)
	defer w.close()
	return err == nil && isMountRoot(w.top().dir)
}

// SettleTree gives all below a folder to the owner of another, and returns once it is on the disk.
func (h *Host) SettleTree(ctx context.Context, dir, like string) error {
	var owner unix.Stat_t
	if err := unix.Stat(h.Path(like), &owner); err != nil {
		return &fs.PathError{Op: "stat", Path: like, Err: err}
	}
	return filepath.WalkDir(h.Path(dir), func(file string, d fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil || !d.IsDir() && !d.Type().IsRegular() {
			return errors.Join(err, ctx.Err())
		}
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		return errors.Join(f.Chown(int(owner.Uid), int(owner.Gid)), f.Sync(), f.Close())
	})
}
