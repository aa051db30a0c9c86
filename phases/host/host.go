// Package host is the one door for effects on this machine: files, directories,
// units, kernel settings and modules. Every effect is written to the ledger before
// it is made, with what was there before, so that it can be skipped when it is
// already so, finished after a kill, and undone.
//
// What it only asks the machine stands in package machine, and what the packet filter
// is made of in package netfilter.
//
// It must not know what it writes: no configuration, no Kubernetes, no order of
// work. It prints nothing, and it never follows a link that somebody else could
// have planted.
package host

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"bootstrap/phases/machine"
)

// Host is the machine, or a directory that stands for one, with its ledger. It may be used by
// several goroutines, as long as no two of them touch the same path or unit; the
// directories above their paths may be the same.
type Host struct {
	machine.Machine
	dir    *os.File // the root, open
	units  Units
	lock   *lock
	ledger *ledger
	making *sync.Mutex // held while a directory is made
	plan   *plan       // nil in a Host that acts
	by     string      // who makes the effects from now on: a phase
	aim    Purpose     // what the effects from now on are for
	report func(Change)
}

// Open takes the machine's lock and reads the ledger below root, which is "/" or a
// directory. A lock that another process holds is an *ObstacleError.
func Open(root string, units Units) (*Host, error) {
	h, err := openRoot(root, units)
	if err != nil {
		return nil, err
	}
	if h.lock, err = takeLock(h.Path(lockFile)); err == nil {
		h.ledger, err = readLedger(h.Path("/"))
	}
	if err != nil {
		h.release()
		return nil, err
	}
	return h, nil
}

func openRoot(root string, units Units) (*Host, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	dir, err := os.OpenFile(root, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return &Host{Machine: machine.At(root), dir: dir, units: units, making: &sync.Mutex{}}, nil
}

// Close gives the lock back. The Host can't be used after it.
func (h *Host) Close() error {
	err := h.ledger.close()
	h.release()
	// The lock is held as long as its file is open. Without this, the garbage collector
	// could close that as soon as nobody uses h any more, while an effect still runs.
	runtime.KeepAlive(h)
	return err
}

func (h *Host) release() {
	if h.lock != nil {
		h.lock.release()
	}
	h.dir.Close()
}

// Entries is every effect in the ledger, oldest first.
func (h *Host) Entries() []Record { return h.ledger.entries() }

// Mode is the permission bits of a file, as in chmod(2).
func (h *Host) Mode(path string) (uint32, error) {
	w, err := h.walk(path, walkFile)
	defer w.close()
	if w == nil || err != nil && h.plan == nil {
		return 0, err
	}
	s, err := h.state(w.place())
	return s.Mode, err
}

// ReadFile reads a file of the machine. Links are followed only where nobody but
// root could have made them.
func (h *Host) ReadFile(path string) ([]byte, error) {
	w, err := h.walk(path, walkFile)
	if w != nil {
		defer w.close()
		if data, ok, err := h.plan.read(w.path()); ok || err != nil {
			return data, err
		}
	}
	if err != nil {
		return nil, err
	}
	f, _, err := w.place().openRegular()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
