package main

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// ipv6Overhead is how much longer VXLAN's headers are over IPv6. flannel reckons with IPv4's.
const ipv6Overhead = 20

// variables reads flannel's subnet.env: this node's ranges and the MTU of its pods.
func variables(env string) (map[string]string, error) {
	values := map[string]string{}
	mtu := 0
	for line := range strings.Lines(env) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		var err error
		switch name {
		case "FLANNEL_SUBNET":
			values["SUBNET"], err = masked(value)
		case "FLANNEL_IPV6_SUBNET":
			values["SUBNET6"], err = masked(value)
		case "FLANNEL_MTU":
			mtu, err = strconv.Atoi(value)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if values["SUBNET6"] != "" {
		mtu -= ipv6Overhead
	}
	if mtu > 0 {
		values["MTU"] = strconv.Itoa(mtu)
	}
	return values, nil
}

// masked is the range that an address such as 10.244.1.1/24 lies in.
func masked(address string) (string, error) {
	p, err := netip.ParsePrefix(address)
	return p.Masked().String(), err
}

// expand puts the values in; one that is missing is an error.
func expand(text string, values map[string]string) ([]byte, error) {
	var missing error
	out := os.Expand(text, func(name string) string {
		if values[name] == "" {
			missing = fmt.Errorf("flannel gives this node no %s", name)
		}
		return values[name]
	})
	return []byte(out), missing
}
