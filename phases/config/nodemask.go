package config

import (
	"net/netip"
	"slices"
	"strconv"
)

const maskFlag = "node-cidr-mask-size"

// maskFlag is the controller manager's flag for how long a node's prefix is. That
// without a family is for a single one, and counts before the other then.
func (c *Cluster) maskFlag(p netip.Prefix) string {
	switch {
	case len(c.Networking.PodSubnets) == 1 && Argument(c.ControllerManager.ExtraArgs, maskFlag) != "":
		return maskFlag
	case p.Addr().Is4():
		return maskFlag + "-ipv4"
	}
	return maskFlag + "-ipv6"
}

// nodeBits is the length of the prefix that a node gets from a pod range: as the flag
// says, or else 24, or 64 for IPv6.
func (c *Cluster) nodeBits(p netip.Prefix) int {
	n, err := strconv.Atoi(Argument(c.ControllerManager.ExtraArgs, c.maskFlag(p)))
	switch {
	case err == nil && 0 < n && n <= p.Addr().BitLen():
		return n
	case p.Addr().Is4():
		return 24
	}
	return 64
}

// validateNodeRanges refuses what the controller manager does.
func (b *builder) validateNodeRanges(c *Config) {
	if isSame(Argument(c.ControllerManager.ExtraArgs, "allocate-node-cidrs"), "false") {
		return // nobody divides the pod ranges
	}
	for i, a := range c.ControllerManager.ExtraArgs {
		if slices.Contains([]string{maskFlag, maskFlag + "-ipv4", maskFlag + "-ipv6"}, a.Name) {
			b.validateMask(at("controllerManager.extraArgs", i), a, c)
		}
	}
	for _, p := range c.Networking.PodSubnets {
		switch bits := c.nodeBits(p); {
		case p.Bits() > bits:
			b.bad("networking.podSubnet", "%s is too small for one node, which needs a /%d", p, bits)
		case bits-p.Bits() > 16:
			b.bad("networking.podSubnet", "%s has room for more than 65536 nodes with a /%d each, which is the most: take a /%d, or set %s of the controller manager",
				p, bits, bits-16, c.maskFlag(p))
		}
	}
}

func (b *builder) validateMask(field string, a Arg, c *Config) {
	n, err := strconv.Atoi(a.Value)
	pods := c.Networking.PodSubnets
	i := slices.IndexFunc(pods, func(p netip.Prefix) bool { return c.maskFlag(p) == a.Name })
	switch {
	case err != nil || n < 1 || n > 128 || i >= 0 && n > pods[i].Addr().BitLen():
		b.bad(field+".value", "%q of %s is no length of a prefix", a.Value, a.Name)
	case i < 0 && len(pods) > 0:
		b.bad(field+".name", "%s is not for this networking.podSubnet, which takes %s", a.Name, c.maskFlag(pods[0]))
	}
}
