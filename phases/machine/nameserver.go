package machine

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

// NameServers are those of a file such as /etc/resolv.conf, as it names them.
func (m Machine) NameServers(file string) ([]netip.Addr, error) {
	data, err := os.ReadFile(m.Path(file))
	if err != nil {
		return nil, err
	}
	var all []netip.Addr
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(f[1]); err == nil {
			all = append(all, a)
		}
	}
	return all, nil
}

// PodReaches tells whether a name server of this machine can be one of a pod's: there, a loopback address
// is the pod's own, as the address of no host is, and a link-local one means nothing without the link.
// Those of IPv4 are routed: clouds have servers at such.
func PodReaches(server netip.Addr) bool {
	onLink := server.Is6() && server.IsLinkLocalUnicast()
	return !server.IsLoopback() && !server.IsUnspecified() && !onLink
}

// rootQuery asks for the name servers of the root, which every server can say
// something to.
const rootQuery = "bs" + // its ID
	"\x01\x00" + "\x00\x01" + "\x00\x00" + "\x00\x00" + "\x00\x00" + // recursion, one question
	"\x00" + "\x00\x02" + "\x00\x01" // the root, NS, IN

// AskNameServer wants any answer from a name server, twice if a packet is lost.
func AskNameServer(ctx context.Context, server netip.Addr) error {
	ctx, cancel := context.WithTimeout(ctx, 1200*time.Millisecond)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", netip.AddrPortFrom(server, 53).String())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // what is asked for has come, or not
	buf := make([]byte, 512)
	for range 2 {
		if _, err = conn.Write([]byte(rootQuery)); err != nil {
			return err
		}
		_ = conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond)) // of a socket that is open
		if n, readErr := conn.Read(buf); readErr == nil && n >= 2 && string(buf[:2]) == rootQuery[:2] {
			return nil
		} else if readErr != nil {
			err = readErr
		}
	}
	return err
}
