package machine

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// OwnMounts tells whether what a process mounts is seen by no other: a setting of its unit, as PrivateMounts or
// ProtectSystem, has given it a copy of all mounts. It is false of a process that has ended.
func OwnMounts(pid int) bool {
	own, err := mountsOf(pid)
	all, allErr := mountsOf(1)
	return err == nil && allErr == nil && rootPeers(own) != rootPeers(all)
}

func mountsOf(pid int) ([]*mountinfo.Info, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	if err != nil {
		return nil, err
	}
	return mountinfo.GetMountsFromReader(bytes.NewReader(data), nil)
}

// rootPeers is the group of mounts, such as "shared:1", that all get what is mounted below the root; empty if it has none.
func rootPeers(mounts []*mountinfo.Info) (group string) {
	for _, m := range mounts {
		if m.Mountpoint != "/" {
			continue
		}
		group = ""
		for _, field := range strings.Fields(m.Optional) {
			if strings.HasPrefix(field, "shared:") {
				group = field
			}
		}
	}
	return group
}
