package machine

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ClosedToRoot says by whose owner and mode root could not read what is there, if it had no
// capability to pass over them, as in the control plane's pods; empty if it could.
func (m Machine) ClosedToRoot(path string) string {
	var st unix.Stat_t
	err := unix.Stat(m.Path(path), &st)
	if !m.Real() && int(st.Uid) == os.Geteuid() {
		st.Uid = 0 // who stands for root there
	}
	if err != nil || rootMayRead(st) {
		return "" // what is not there is made when the pod starts
	}
	return fmt.Sprintf("user %d (mode %04o)", st.Uid, st.Mode&0o7777)
}

// rootMayRead goes by what a file says. A folder has to be entered too.
func rootMayRead(st unix.Stat_t) bool {
	want := uint32(0o4)
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		want = 0o5
	}
	switch {
	case st.Uid == 0:
		want <<= 6
	case st.Gid == 0:
		want <<= 3
	}
	return st.Mode&want == want
}
