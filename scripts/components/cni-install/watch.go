package main

import (
	"fmt"
	"os"
	"syscall"
)

// changes tells when files of some folders come or go.
type changes struct{ events *os.File }

func watch(folders ...string) (changes, error) {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
	if err != nil {
		return changes{}, os.NewSyscallError("inotify_init1", err)
	}
	const mask = syscall.IN_MOVED_TO | syscall.IN_MOVED_FROM | syscall.IN_CLOSE_WRITE | syscall.IN_DELETE
	for _, folder := range folders {
		if _, err := syscall.InotifyAddWatch(fd, folder, mask); err != nil {
			return changes{}, fmt.Errorf("watch %s: %w", folder, err)
		}
	}
	return changes{os.NewFile(uintptr(fd), "inotify")}, nil
}

// next waits. Which file it was does not matter.
func (c changes) next() error {
	_, err := c.events.Read(make([]byte, 64<<10))
	return err
}
