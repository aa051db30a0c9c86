package spec

import (
	"fmt"
	"net/netip"
	"strings"

	"bootstrap/manifests"
	"bootstrap/phases/config"
)

// DNSAddon is the cluster's DNS. forward is what it asks for names of outside, if anything.
func DNSAddon(c *config.Config, forward string) (manifests.Addon, error) {
	dns := manifests.CoreDNS{
		Image:     c.Images.CoreDNS,
		ClusterIP: c.DNSServiceIP().String(),
		Corefile:  corefile(c.Networking.DNSDomain, forward),
	}
	if !c.Box.SingleNode {
		dns.Replicas = 2
	}
	return dns.Objects()
}

// corefile leaves out forwarding where nobody could answer: CoreDNS would ask itself,
// find the loop and end.
func corefile(domain, forward string) string {
	plugins := []string{
		"errors",
		"health {\n        lameduck 5s\n    }",
		"ready",
		fmt.Sprintf("kubernetes %s in-addr.arpa ip6.arpa {\n        pods insecure\n        fallthrough in-addr.arpa ip6.arpa\n        ttl 30\n    }", domain),
		"prometheus :9153",
	}
	if forward != "" {
		plugins = append(plugins, "forward . "+forward+" {\n        max_concurrent 1000\n    }", "loop")
	}
	plugins = append(plugins,
		// Answers about names of the cluster are not kept, as they change at any time.
		fmt.Sprintf("cache 30 {\n        disable success %s\n        disable denial %s\n    }", domain, domain),
		"reload",
		"loadbalance",
	)
	return ".:53 {\n    " + strings.Join(plugins, "\n    ") + "\n}\n"
}

// Reachable is what CoreDNS can forward to, of the servers in a resolv.conf: if all can be
// reached from a pod, the file itself, whatever it will hold later; else those that can. At
// a loopback address a pod reaches only itself. It is empty if none is left.
func Reachable(servers []netip.Addr) string {
	var outside []string
	for _, s := range servers {
		if !s.IsLoopback() {
			outside = append(outside, s.String())
		}
	}
	if len(outside) > 0 && len(outside) == len(servers) {
		return "/etc/resolv.conf"
	}
	return strings.Join(outside, " ")
}
