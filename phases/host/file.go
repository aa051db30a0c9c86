package host

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// WriteFile makes path hold data with this mode, owned by us; missing directories
// above it are made with mode 0755. It is false when all was so already.
func (h *Host) WriteFile(path string, data []byte, mode fs.FileMode) (changed bool, err error) {
	sum := sha256.Sum256(data)
	return h.WriteStream(path, mode, hex.EncodeToString(sum[:]), func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteStream is WriteFile for content too large to hold, whose SHA-256 is known.
// write is not called if the content is there already; other content never lands.
func (h *Host) WriteStream(path string, mode fs.FileMode, sum string, write func(io.Writer) error) (changed bool, err error) {
	w, err := h.walk(path, walkWrite)
	if w != nil {
		defer w.close()
	}
	if err != nil {
		return false, err
	}
	return h.writeAt(w.place(), fileState(mode, sum), write)
}

func fileState(mode fs.FileMode, sum string) State {
	return State{Kind: File, Mode: unixMode(mode), UID: os.Geteuid(), GID: os.Getegid(), SHA256: sum}
}

func (h *Host) writeAt(p place, want State, write func(io.Writer) error) (bool, error) {
	now, err := p.state()
	if err != nil {
		return false, err
	}
	if now.Kind == Dir {
		return false, fmt.Errorf("%s is a directory", p.path)
	}
	if now == want {
		return false, h.settleFile(p)
	}
	id, err := h.ledger.begin(h.fileEffect(p, now, want))
	if err != nil {
		return false, err
	}
	if now.SHA256 == want.SHA256 {
		err = p.setOwnerAndMode(want)
	} else {
		err = p.replace(want, write)
	}
	if err != nil {
		return false, err
	}
	return true, h.ledger.done(id)
}

func (h *Host) fileEffect(p place, now, want State) effect {
	return effect{key: key{OpFile, p.path}, before: now, after: want, save: p.copyTo}
}

// settleFile ends an effect that needs no more work: a run before may have been
// killed with content gathered that is no longer wanted.
func (h *Host) settleFile(p place) error {
	r, ok := h.ledger.find(key{OpFile, p.path})
	if !ok || r.Done {
		return nil
	}
	if err := p.temp().remove(); err != nil {
		return err
	}
	return h.ledger.done(r.ID)
}

// Remove removes a file, and keeps its content for Undo. It is false when there was
// none.
func (h *Host) Remove(path string) (changed bool, err error) {
	w, err := h.walk(path, walkRemove)
	if w != nil {
		defer w.close()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	p := w.place()
	now, err := p.state()
	if err != nil {
		return false, err
	}
	switch now.Kind {
	case Dir:
		return false, fmt.Errorf("%s is a directory", path)
	case Absent:
		return false, h.settleFile(p)
	}
	id, err := h.ledger.begin(h.fileEffect(p, now, State{Kind: Absent}))
	if err != nil {
		return false, err
	}
	if err := p.remove(); err != nil {
		return false, err
	}
	return true, h.ledger.done(id)
}

// temp is where content is gathered before it is renamed to p: in the directory
// itself, so that it is on the same mount and gets the right security label, and
// with a dot, so that the kubelet, systemd and CNI look past it. One fixed name: a
// run that was killed leaves at most this one, and the next write takes it over.
func (p place) temp() place {
	p.name = "." + p.name + ".bootstrap"
	return p
}

// replace puts content at p, all of it or nothing.
func (p place) replace(want State, write func(io.Writer) error) error {
	t := p.temp()
	if err := t.unlink(0); err != nil {
		return err
	}
	err := t.fill(want, write)
	if err == nil {
		err = unix.Renameat(int(p.dir.Fd()), t.name, int(p.dir.Fd()), p.name)
		if err != nil {
			err = p.stuck("rename to", err)
		}
	}
	if err != nil {
		return errors.Join(err, t.unlink(0))
	}
	return p.dir.Sync()
}

func (p place) fill(want State, write func(io.Writer) error) (err error) {
	f, err := openAt(p.dir, p.name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o600)
	if err != nil {
		return p.stuck("create", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := applyOwnerAndMode(f, want); err != nil {
		return p.wrap("chmod", err)
	}
	sum := sha256.New()
	if err := write(io.MultiWriter(f, sum)); err != nil {
		return fmt.Errorf("write %s: %w", p.path, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want.SHA256 {
		return fmt.Errorf("%s: content has sha256 %s, want %s", p.path, got, want.SHA256)
	}
	return p.wrap("sync", f.Sync())
}

// copyTo keeps p's content in a file of its own.
func (p place) copyTo(file string) error {
	from, err := p.open(unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Sync(), to.Close())
}

// unixMode is chmod(2)'s view of a mode.
func unixMode(mode fs.FileMode) uint32 {
	m := uint32(mode.Perm())
	if mode&fs.ModeSetuid != 0 {
		m |= unix.S_ISUID
	}
	if mode&fs.ModeSetgid != 0 {
		m |= unix.S_ISGID
	}
	if mode&fs.ModeSticky != 0 {
		m |= unix.S_ISVTX
	}
	return m
}
