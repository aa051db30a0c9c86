package machine

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
func (m Machine) Listener(port uint16) string {
	sockets := map[string]bool{}
	for _, l := range m.listeners() {
		if l.port == port {
			sockets["socket:["+l.inode+"]"] = true
		}
	}
	if len(sockets) == 0 {
		return ""
	}
	return m.holder(sockets)
}

// Listening are the TCP ports at which anybody listens, in order.
func (m Machine) Listening() []uint16 {
	var ports []uint16
	for _, l := range m.listeners() {
		ports = append(ports, l.port)
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// ListensBeyond tells whether anybody listens at a TCP port of this machine that others
// can reach: loopback is the machine's own.
func (m Machine) ListensBeyond(port uint16) bool {
	return slices.ContainsFunc(m.listeners(), func(l listener) bool { return l.port == port && !l.loopback })
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

func (m Machine) listeners() []listener {
	var all []listener
	for _, list := range []string{"/proc/net/tcp", "/proc/net/tcp6"} { // a kernel without IPv6 has no tcp6
		for _, f := range m.table(list, 10) {
			address, hex, _ := strings.Cut(f[1], ":")
			port, err := strconv.ParseUint(hex, 16, 16)
			if err == nil && f[3] == tcpListens {
				all = append(all, listener{uint16(port), isLoopback(address), f[9]})
			}
		}
	}
	return all
}

// holder is the first process that has one of the sockets open.
func (m Machine) holder(sockets map[string]bool) string {
	for _, pid := range m.pids() {
		files, _ := filepath.Glob(m.Path(procDir(pid)) + "/fd/*") // none of a process that has gone
		for _, file := range files {
			if to, err := os.Readlink(file); err == nil && sockets[to] {
				return m.process(pid).String()
			}
		}
	}
	return ""
}
