package config

import (
	"net/netip"
	"slices"

	netutils "k8s.io/utils/net"
)

var (
	kubeProxyWords = map[string][]string{
		"detectLocalMode": {"ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix"}, "logging.format": {"text", "json"},
	}
	kubeProxyNumbers = map[string]between{
		"oomScoreAdj": {-1000, 1000}, "iptables.masqueradeBit": {0, 31}, "nftables.masqueradeBit": {0, 31}, "conntrack.min": {0, any32},
		"conntrack.maxPerCore": {0, any32}, "clientConnection.burst": {0, any32},
	}
)

// validateKubeProxyValues refuses what kube-proxy does (pkg/proxy/apis/config/validation).
func (b *builder) validateKubeProxyValues(document map[string]any) {
	b.validateDocument(kubeProxyKind, document, kubeProxyWords, kubeProxyNumbers)
	if ip := textOf(document, "bindAddress"); ip != "" && netutils.ParseIPSloppy(ip) == nil {
		b.badIn(kubeProxyKind, "bindAddress", "%q is no IP address", ip)
	}
	for _, field := range []string{"healthzBindAddress", "metricsBindAddress"} {
		address := textOf(document, field)
		_, err := netip.ParseAddrPort(address)
		if address != "" && err != nil && netutils.ParseIPSloppy(address) == nil {
			b.badIn(kubeProxyKind, field, "%q is no IP address, with a port or without", address)
		}
	}
	addresses := wordsOf(document, "nodePortAddresses")
	for _, address := range addresses {
		_, _, err := netutils.ParseCIDRSloppy(address)
		if err != nil && !slices.Equal(addresses, []string{"primary"}) {
			b.badIn(kubeProxyKind, "nodePortAddresses", "%q is no range such as 192.0.2.0/24; primary may stand alone", address)
		}
	}
	mode := textOf(document, "detectLocalMode")
	for _, each := range []struct{ mode, field string }{
		{"BridgeInterface", "detectLocal.bridgeInterface"}, {"InterfaceNamePrefix", "detectLocal.interfaceNamePrefix"},
	} {
		if mode == each.mode && textOf(document, each.field) == "" {
			b.badIn(kubeProxyKind, "detectLocalMode", "%s needs %s as well", mode, each.field)
		}
	}
}
