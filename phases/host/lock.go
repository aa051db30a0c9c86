package host

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const lockFile = "/run/bootstrap.lock"

// lock is a file locked by flock(2). When the process that holds it ends, the kernel
// unlocks it.
type lock struct {
	file    *os.File
	path    string
	madeDir bool
}

// takeLock never waits. If another process holds the lock, the error tells which: that
// helps the user more than to wait. What it gives must be released, also beside an error.
func takeLock(path string) (*lock, error) {
	l := &lock{path: path}
	for {
		held, err := l.try()
		if err != nil {
			return nil, err
		}
		if held {
			return l, l.sign()
		}
	}
}

// try is false when the file it locked is no longer the one at the path, because
// the holder before removed it in between.
func (l *lock) try() (bool, error) {
	if os.Mkdir(filepath.Dir(l.path), 0o755) == nil { // else it is there already, or to open the file fails too
		l.madeDir = true
	}
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o644)
	if l.madeDir && errors.Is(err, os.ErrNotExist) {
		return false, nil // the holder before took the directory with it
	}
	if err != nil {
		return false, fmt.Errorf("lock: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		defer f.Close()
		return false, holder(f)
	}
	if err != nil {
		f.Close()
		return false, fmt.Errorf("lock %s: %w", l.path, err)
	}
	open, _ := f.Stat() // nil is the same as no file
	if now, err := os.Lstat(l.path); err != nil || !os.SameFile(open, now) {
		f.Close()
		return false, nil
	}
	l.file = f
	return true, nil
}

// sign writes who holds the lock into it.
func (l *lock) sign() error {
	_, err := fmt.Fprintf(l.file, "%d %s\n", os.Getpid(), commandName(os.Args))
	if err != nil {
		return fmt.Errorf("lock %s: %w", l.path, err)
	}
	return nil
}

// commandName is the program and at most two words after it. What follows may be a
// secret, such as a token, and is shown to whoever comes meanwhile.
func commandName(args []string) string {
	words := []string{filepath.Base(args[0])}
	for _, arg := range args[1:] {
		if strings.HasPrefix(arg, "-") || len(words) == 3 {
			break
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

// holder reads who holds the lock. One that has only just taken it may not have signed
// yet. Behind its line may be the rest of one that was longer, of a holder that was killed.
func holder(f *os.File) error {
	what := "another bootstrap is at work on this machine"
	line, err := bufio.NewReader(f).ReadString('\n')
	if pid, command, signed := strings.Cut(strings.TrimSpace(line), " "); err == nil && signed {
		what += fmt.Sprintf(": pid %s (%s)", pid, command)
	}
	return &ObstacleError{What: what, Fix: "wait until it ends, or stop it, and run the command again"}
}

// release removes the file while it is still locked, so that nobody can lock a
// file that is about to go.
func (l *lock) release() {
	os.Remove(l.path)
	if l.madeDir {
		os.Remove(filepath.Dir(l.path)) // goes only if empty
	}
	l.file.Close()
}
