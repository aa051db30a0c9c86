package spec

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"bootstrap/phases/config"
)

// Port is an address that has to be free, and whose it will be.
type Port struct {
	Owner   string
	Address netip.AddrPort
}

// OfKubelet tells whether the kubelet listens there.
func (p Port) OfKubelet() bool { return strings.HasPrefix(p.Owner, "kubelet") }

// Ports are where the programs of this node will listen.
func Ports(c *config.Config) []Port {
	everywhere := unspecified(c)
	at := func(owner string, a netip.Addr, n int) Port { return Port{owner, netip.AddrPortFrom(a, uint16(n))} }
	all := []Port{
		at("kube-apiserver", everywhere, c.BindPort),
		at("kubelet health", c.Loopback(), portIn(c.Kubelet, "healthzPort", 10248)),
		at("kubelet", everywhere, cmp.Or(portIn(c.Kubelet, "port", 10250), 10250)),
		{"kube-controller-manager", boundTo(c, c.ControllerManager, 10257)},
		{"kube-scheduler", boundTo(c, c.Scheduler, 10259)},
	}
	if !c.ProxyDisabled {
		all = append(all, Port{"kube-proxy metrics", ProxyMetrics(c)},
			Port{"kube-proxy health", addressIn(c.KubeProxy, "healthzBindAddress", netip.AddrPortFrom(everywhere, 10256))})
	}
	if c.Etcd.External == nil {
		all = append(all, at("etcd clients", c.Loopback(), 2379), at("etcd peers", c.AdvertiseAddress, 2380), Port{"etcd metrics", c.EtcdMetrics()})
	}
	return slices.DeleteFunc(all, func(p Port) bool { return p.Address.Port() == 0 || c.Box.Standalone && !p.OfKubelet() })
}

// ProxyMetrics is where kube-proxy tells how it goes.
func ProxyMetrics(c *config.Config) netip.AddrPort {
	return addressIn(c.KubeProxy, "metricsBindAddress", netip.AddrPortFrom(c.Loopback(), 10249))
}

// unspecified stands for all addresses of this machine, in the family of the node's own.
func unspecified(c *config.Config) netip.Addr {
	if c.AdvertiseAddress.Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// portIn is a port of the user's configuration, or the default; 0 turns it off.
func portIn(fields map[string]any, name string, standard int) int {
	if n, err := strconv.ParseUint(fmt.Sprint(fields[name]), 10, 16); err == nil {
		return int(n)
	}
	return standard
}

func addressIn(fields map[string]any, name string, standard netip.AddrPort) netip.AddrPort {
	if address, err := netip.ParseAddrPort(fmt.Sprint(fields[name])); err == nil {
		return address
	}
	return standard
}
