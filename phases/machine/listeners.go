package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/prometheus/procfs"
)

const tcpListens = 0x0A // state LISTEN in /proc/net/tcp

// Listener is the process that listens at a TCP port, as people know it; empty if it
// can't be told, as to who is not root.
func (m Machine) Listener(port uint16) string {
	sockets := map[string]bool{}
	for _, s := range m.listening() {
		if s.LocalPort == uint64(port) {
			sockets[fmt.Sprintf("socket:[%d]", s.Inode)] = true
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
	for _, s := range m.listening() {
		ports = append(ports, uint16(s.LocalPort))
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// ListensBeyond tells whether anybody listens at a TCP port of this machine that others
// can reach: loopback is the machine's own.
func (m Machine) ListensBeyond(port uint16) bool {
	for _, s := range m.listening() {
		if s.LocalPort == uint64(port) && !s.LocalAddr.IsLoopback() {
			return true
		}
	}
	return false
}

// listening are the sockets at which anybody listens.
func (m Machine) listening() (all procfs.NetTCP) {
	proc, err := procfs.NewFS(m.Path("/proc"))
	if err != nil {
		return nil // a directory that stands for a machine may have none
	}
	four, _ := proc.NetTCP()
	six, _ := proc.NetTCP6() // a kernel without IPv6 has none
	for _, s := range slices.Concat(four, six) {
		if s.St == tcpListens {
			all = append(all, s)
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
