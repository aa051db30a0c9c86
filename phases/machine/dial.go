package machine

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

// dialTimeout is for servers of this machine or near it.
const dialTimeout = time.Second

// Dial connects by TCP and closes the connection again.
func Dial(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// IsRefused tells that nobody listens, or that a firewall says no.
func IsRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// IsUnreachable tells that there is no way there.
func IsUnreachable(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH)
}

// IsNotHere tells that an address to listen at is not of this machine.
func IsNotHere(err error) bool { return errors.Is(err, syscall.EADDRNOTAVAIL) }
