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

type port struct {
	Owner   string
	Address netip.AddrPort
}

func (p port) OfKubelet() bool { return strings.HasPrefix(p.Owner, "kubelet") }

func Ports(c *config.Config) []port {
	unspecified := netip.IPv4Unspecified()
	if c.AdvertiseAddress.Is6() {
		unspecified = netip.IPv6Unspecified()
	}
	at := func(owner string, a netip.Addr, n int) port { return port{owner, netip.AddrPortFrom(a, uint16(n))} }
	all := []port{
		at("kube-apiserver", unspecified, c.BindPort),
		at("kubelet health", c.Loopback(), portIn(c.Kubelet, "healthzPort", 10248)),
		at("kubelet", unspecified, cmp.Or(portIn(c.Kubelet, "port", 10250), 10250)),
		{"kube-controller-manager", boundTo(c, c.ControllerManager, 10257)},
		{"kube-scheduler", boundTo(c, c.Scheduler, 10259)},
	}
	if !c.ProxyDisabled {
		all = append(all, port{"kube-proxy metrics", addressIn(c.KubeProxy, "metricsBindAddress", netip.AddrPortFrom(c.Loopback(), 10249))},
			port{"kube-proxy health", addressIn(c.KubeProxy, "healthzBindAddress", netip.AddrPortFrom(unspecified, 10256))})
	}
	if c.Etcd.External == nil {
		all = append(all, at("etcd clients", c.Loopback(), 2379), at("etcd peers", c.AdvertiseAddress, 2380), port{"etcd metrics", c.EtcdMetrics()})
	}
	return slices.DeleteFunc(all, func(p port) bool { return p.Address.Port() == 0 || c.Box.Standalone && !p.OfKubelet() })
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
