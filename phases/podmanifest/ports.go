package podmanifest

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// HostPort is a port of the machine that a pod takes.
type HostPort struct {
	Port     int
	Protocol corev1.Protocol
	IP       string // empty: all addresses
	Field    string // of the manifest
}

func (p HostPort) String() string { return fmt.Sprintf("%d/%s", p.Port, p.Protocol) }

// Meets tells whether two pods can't have both: they want the same port at an address
// that is the same, or all.
func (p HostPort) Meets(other HostPort) bool {
	return p.Port == other.Port && p.Protocol == other.Protocol && (p.all() || other.all() || p.IP == other.IP)
}

// Address is where the port is wanted; at the unspecified address where it is wanted at all of them.
func (p HostPort) Address() netip.AddrPort {
	a, err := netip.ParseAddr(p.IP)
	if err != nil {
		a = netip.IPv4Unspecified()
	}
	return netip.AddrPortFrom(a, uint16(p.Port))
}

func (p HostPort) all() bool { return p.Address().Addr().IsUnspecified() }

// HostPorts are those that a pod declares. With hostNetwork each port is one, declared or
// not; what is not declared, only the program knows.
func HostPorts(pod *corev1.Pod) []HostPort {
	var all []HostPort
	for _, each := range containersOf(pod) {
		all = append(all, each.hostPorts(pod.Spec.HostNetwork)...)
	}
	return all
}

func (each container) hostPorts(hostNetwork bool) []HostPort {
	var ports []HostPort
	for i, p := range each.Ports {
		number := p.HostPort
		if hostNetwork {
			number = p.ContainerPort
		}
		if number != 0 {
			field := fmt.Sprintf("%s.ports[%d]", each.field, i)
			ports = append(ports, HostPort{int(number), cmp.Or(p.Protocol, corev1.ProtocolTCP), p.HostIP, field})
		}
	}
	return ports
}

func (c *check) ports(each container, hostNetwork bool) {
	names := map[string]bool{}
	for i, p := range each.Ports {
		field := fmt.Sprintf("%s.ports[%d]", each.field, i)
		if p.Name != "" {
			c.valid(field+".name", p.Name, validation.IsValidPortName)
			c.refuse(names[p.Name], field+".name", fmt.Sprintf("%q is taken by another port of this container", p.Name))
			names[p.Name] = true
		}
		c.refuse(p.ContainerPort == 0, field+".containerPort", "it is missing")
		c.port(field+".containerPort", p.ContainerPort)
		c.port(field+".hostPort", p.HostPort)
		if hostNetwork && p.HostPort != 0 && p.HostPort != p.ContainerPort {
			c.bad(field+".hostPort", "with hostNetwork: true it is the containerPort, %d, or left out", p.ContainerPort)
		}
	}
}

// portsTwice finds ports of the machine that two containers want at once.
func (c *check) portsTwice(pod *corev1.Pod) {
	var taken []HostPort // by the containers that still run when the next one begins
	for _, each := range containersOf(pod) {
		all := slices.Clone(taken)
		for _, p := range each.hostPorts(pod.Spec.HostNetwork) {
			if i := slices.IndexFunc(all, p.Meets); i >= 0 {
				c.bad(p.Field, "port %s of this machine is taken by %s", p, all[i].Field)
			}
			all = append(all, p)
		}
		if !each.ends {
			taken = all
		}
	}
}

func (c *check) port(field string, number int32) {
	if number < 0 || number > 65535 {
		c.bad(field, "%d is no port: want 1 to 65535", number)
	}
}
