package host

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const tcpListens = "0A" // state LISTEN in /proc/net/tcp

// Listener is the process that listens at a TCP port, as people know it; empty if it
// can't be told, as to who is not root.
func (h *Host) Listener(port uint16) string {
	sockets := map[string]bool{}
	for _, l := range h.listeners() {
		if l.port == port {
			sockets["socket:["+l.inode+"]"] = true
		}
	}
	if len(sockets) == 0 {
		return ""
	}
	return h.holder(sockets)
}

// Listening are the TCP ports at which anybody listens, in order.
func (h *Host) Listening() []uint16 {
	var ports []uint16
	for _, l := range h.listeners() {
		ports = append(ports, l.port)
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// ListensBeyond tells whether anybody listens at a TCP port of this machine that others
// can reach: loopback is the machine's own.
func (h *Host) ListensBeyond(port uint16) bool {
	return slices.ContainsFunc(h.listeners(), func(l listener) bool { return l.port == port && !l.loopback })
}

// listener is a listening socket as the kernel lists it.
type listener struct {
	port     uint16
	loopback bool
	inode    string
}

// isLoopback reads an address as the kernel lists it, each four bytes the other way round.
// A program for both families listens at IPv4's by a mapped address.
func isLoopback(address string) bool {
	const mapped, loopback6 = "0000000000000000FFFF0000", "00000000000000000000000001000000"
	v4 := strings.TrimPrefix(address, mapped)
	return len(v4) == 8 && strings.HasSuffix(v4, "7F") || address == loopback6
}

func (h *Host) listeners() []listener {
	var all []listener
	for _, list := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, _ := os.ReadFile(h.Path(list)) // a kernel without IPv6 has no tcp6
		for line := range strings.Lines(string(data)) {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != tcpListens {
				continue
			}
			address, hex, _ := strings.Cut(f[1], ":")
			port, err := strconv.ParseUint(hex, 16, 16)
			if err == nil {
				all = append(all, listener{uint16(port), isLoopback(address), f[9]})
			}
		}
	}
	return all
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
