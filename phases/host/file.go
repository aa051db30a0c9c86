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

// WriteFile makes path hold data with this mode, owned by the user who runs bootstrap;
// missing directories above it are made with mode 0755. changed is false when all was
// so already.
func (h *Host) WriteFile(path string, data []byte, mode fs.FileMode) (changed bool, err error) {
	return h.write(path, walkWrite, content{State: fileState(mode, sumOf(data)), data: data, shown: true})
}

// WriteOpaque is WriteFile for content that is never shown in a diff: a secret, or
// something that people can't read.
func (h *Host) WriteOpaque(path string, data []byte, mode fs.FileMode) (changed bool, err error) {
	return h.write(path, walkWrite, content{State: fileState(mode, sumOf(data)), data: data})
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// WriteStream is WriteFile for content too large to hold, whose SHA-256 is known.
// write is not called if the content is there already. Content with another hash is an
// error, and never comes to that path.
func (h *Host) WriteStream(path string, mode fs.FileMode, sum string, write func(io.Writer) error) (changed bool, err error) {
	return h.write(path, walkWrite, content{State: fileState(mode, sum), stream: write})
}

// content is what a file is to be.
type content struct {
	State                        // Absent: it is to go
	data   []byte                // nil if it is streamed
	stream func(io.Writer) error // nil if it is data
	shown  bool                  // in a diff, to the user
	shared bool                  // see Record
	theirs bool                  // the user's own: no record is made
}

func (c content) write(w io.Writer) error {
	if c.stream != nil {
		return c.stream(w)
	}
	_, err := w.Write(c.data)
	return err
}

func (h *Host) write(path string, mode walkMode, c content) (changed bool, err error) {
	w, err := h.walk(path, mode)
	defer w.close()
	if errors.Is(err, fs.ErrNotExist) && c.Kind == Absent {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return h.writeAt(w.place(), c)
}

func fileState(mode fs.FileMode, sum string) State {
	return State{Kind: File, Mode: uint32(mode.Perm()), UID: os.Geteuid(), GID: os.Getegid(), SHA256: sum}
}

func (h *Host) writeAt(p place, want content) (bool, error) {
	if want.theirs && h.Recorded(p.path) {
		return false, fmt.Errorf("%s is in the ledger: it is bootstrap's, not the user's", p.path)
	}
	now, err := h.state(p)
	if err != nil {
		return false, err
	}
	if now.Kind == Dir {
		return false, fmt.Errorf("%s is a directory", p.path)
	}
	if now == want.State {
		return false, h.settle(key{OpFile, p.path}, p.temp().remove)
	}
	if err := h.checkOwner(p.path, now, want); err != nil {
		return false, err
	}
	e := effect{
		key: key{OpFile, p.path}, verb: fileVerb(now, want.State), diff: h.diff(p, now, want),
		on: p.on, shared: want.shared, before: now, after: want.State, save: p.copyTo,
	}
	do := func() error { return p.become(now, want) }
	if want.theirs {
		err = h.act(e.change(), do)
	} else {
		err = h.make(e, do)
	}
	if err == nil {
		h.plan.put(p.path, planned{State: want.State, data: want.data})
	}
	return err == nil, err
}

// become never changes in place what lies in a user's home: the user could put another
// file of root's under that name meanwhile.
func (p place) become(now State, want content) error {
	switch {
	case want.Kind == Absent:
		return p.remove()
	case now.SHA256 == want.SHA256 && !want.shared && !want.theirs:
		return p.setOwnerAndMode(want.State)
	}
	return p.replace(want.State, want.write)
}

func fileVerb(now, want State) Verb {
	switch {
	case want.Kind == Absent:
		return Remove
	case now.Kind == Absent:
		return Create
	case now.SHA256 == want.SHA256:
		return Chmod
	}
	return Update
}

// diff is empty if the new content must not be shown, or if what it replaces was not
// written by bootstrap and could be a secret.
func (h *Host) diff(p place, now State, want content) string {
	if !want.shown || now.SHA256 == want.SHA256 {
		return ""
	}
	if now.Kind == Absent {
		return diffOf(p.path, nil, want.data)
	}
	r, ok := h.ledger.find(key{OpFile, p.path})
	if !ok || !r.made() {
		return ""
	}
	old, err := h.ReadFile(p.path)
	if err != nil {
		return ""
	}
	return diffOf(p.path, old, want.data)
}

// checkOwner refuses a file that somebody else put there, who could have it open.
func (h *Host) checkOwner(path string, now State, want content) error {
	_, ours := h.ledger.find(key{OpFile, path})
	switch {
	case now.Kind == Absent || want.Kind == Absent:
		return nil
	case want.shared && now.UID != want.UID:
		return notTheUsers(path, now.UID, Owner{want.UID, want.GID})
	case want.shared || ours || ownUID(now.UID):
		return nil
	}
	return ownedByOther(path, now.UID)
}

// Remove removes a file, and keeps its content for Undo. changed is false when there was
// no file.
func (h *Host) Remove(path string) (changed bool, err error) {
	return h.write(path, walkRemove, content{State: State{Kind: Absent}})
}

// temp is where content is gathered before it is renamed to p: in the directory
// itself, so that it is on the same mount and gets the right security label, and
// with a dot, so that the kubelet, systemd and CNI look past it. One fixed name: a
// run that was killed leaves at most this one, and the next write takes it over.
func (p place) temp() place {
	p.name = "." + p.name + ".bootstrap"
	return p
}

// replace puts content at p by a rename, so that nobody ever sees a part of it.
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

// copyTo copies the content at p to a file, from which it can be restored.
func (p place) copyTo(file string) error {
	from, err := p.open()
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
