package phases

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
)

func TestKubeletDiskError(t *testing.T) {
	for _, c := range []struct {
		path string
		err  error
		id   string // empty: no cause
	}{
		{kubeletConfig, syscall.EROFS, "kubelet-disk-read-only"},
		{kubeletConfig, syscall.ENOSPC, "kubelet-disk-full"},
		{kubeletConfig, syscall.EDQUOT, "kubelet-disk-full"},
		{kubeletConfig, syscall.EACCES, ""},
		{kubeletDropIn, syscall.EROFS, ""}, // another folder, perhaps another disk
	} {
		err := kubeletDiskError(fmt.Errorf("write: %w", &fs.PathError{Op: "open", Path: c.path, Err: c.err}))
		var cause *CauseError
		got := ""
		if errors.As(err, &cause) {
			got = cause.ID
		}
		if got != c.id || !errors.Is(err, c.err) {
			t.Errorf("%s, %v: cause %q of %v, want %q", c.path, c.err, got, err, c.id)
		}
		if cause != nil && (cause.Remedy == "" || cause.What == "") {
			t.Errorf("%s: nothing is said, or no remedy", c.id)
		}
	}
}
