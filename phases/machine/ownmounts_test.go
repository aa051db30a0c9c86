package machine

import (
	"os"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
)

// TestRootPeers: the lines are of PID 1 and of services of Debian 12 with PrivateMounts=yes and MountFlags=private.
func TestRootPeers(t *testing.T) {
	for text, want := range map[string]string{
		"29 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n31 29 0:5 / /dev rw shared:2 - devtmpfs d rw\n": "shared:1",
		"351 297 254:0 / / rw,relatime shared:205 master:1 - ext4 /dev/vda rw\n":                                 "shared:205",
		"351 297 254:0 / / rw,relatime master:1 - ext4 /dev/vda rw\n":                                            "",
		"31 29 0:5 / /dev rw shared:2 - devtmpfs d rw\n":                                                         "",
	} {
		mounts, err := mountinfo.GetMountsFromReader(strings.NewReader(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := rootPeers(mounts); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if OwnMounts(os.Getpid()) || OwnMounts(-1) {
		t.Error("a process that shares all mounts, or has ended, has mounts of its own")
	}
}
