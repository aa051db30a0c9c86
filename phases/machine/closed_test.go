package machine

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestRootMayRead: in a pod, root is a user as others are.
func TestRootMayRead(t *testing.T) {
	for _, tt := range []struct {
		uid, gid, mode uint32
		want           bool
	}{
		{0, 0, 0o100600, true}, {1000, 1000, 0o100600, false}, {1000, 1000, 0o100640, false}, {1000, 0, 0o100640, true}, {1000, 1000, 0o100644, true},
		{0, 0, 0o040700, true}, {1000, 1000, 0o040744, false}, {1000, 1000, 0o040755, true}, {0, 1000, 0o100040, false},
	} {
		if got := rootMayRead(unix.Stat_t{Uid: tt.uid, Gid: tt.gid, Mode: tt.mode}); got != tt.want {
			t.Errorf("%+v: %t", tt, got)
		}
	}
}
