package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const tcpListens = "0A" // state LISTEN in /proc/net/tcp

// Listener is the process that listens at a TCP port, as people know it; empty if it
// can't be told, as to who is not root.
func (h *Host) Listener(port uint16) string {
	sockets := map[string]bool{}
	for _, list := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, _ := os.ReadFile(h.Path(list)) // a kernel without IPv6 has no tcp6
		for line := range strings.Lines(string(data)) {
			f := strings.Fields(line)
			if len(f) > 9 && f[3] == tcpListens && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				sockets["socket:["+f[9]+"]"] = true
			}
		}
	}
	if len(sockets) == 0 {
		return ""
	}
	return h.holder(sockets)
}

func (h *Host) holder(sockets map[string]bool) string {
	files, _ := filepath.Glob(h.Path("/proc") + "/[0-9]*/fd/*")
	for _, file := range files {
		if to, err := os.Readlink(file); err != nil || !sockets[to] {
			continue
		}
		dir := filepath.Dir(filepath.Dir(file))
		pid, _ := strconv.Atoi(filepath.Base(dir)) // the pattern says so
		name, _ := os.ReadFile(filepath.Join(dir, "comm"))
		return process{PID: pid, Command: strings.TrimSpace(string(name))}.String()
	}
	return ""
}
