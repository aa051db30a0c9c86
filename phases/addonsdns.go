package phases

import (
	"fmt"
	"net/netip"
	"strings"

	"bootstrap/manifests"
	"bootstrap/phases/config"
)

// dnsAddon is the cluster's DNS. forward: there is a server outside that pods can ask.
func dnsAddon(c *config.Config, forward bool) (manifests.Addon, error) {
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
func corefile(domain string, forward bool) string {
	plugins := []string{
		"errors",
		"health {\n        lameduck 5s\n    }",
		"ready",
		fmt.Sprintf("kubernetes %s in-addr.arpa ip6.arpa {\n        pods insecure\n        fallthrough in-addr.arpa ip6.arpa\n        ttl 30\n    }", domain),
		"prometheus :9153",
	}
	if forward {
		plugins = append(plugins, "forward . /etc/resolv.conf {\n        max_concurrent 1000\n    }", "loop")
	}
	plugins = append(plugins,
		// Names of the cluster change: a kept answer would be an old one.
		fmt.Sprintf("cache 30 {\n        disable success %s\n        disable denial %s\n    }", domain, domain),
		"reload",
		"loadbalance",
	)
	return ".:53 {\n    " + strings.Join(plugins, "\n    ") + "\n}\n"
}

// forwardsDNS tells whether the file that the kubelet gives pods as their resolver
// names a server that pods can reach.
func (e *Env) forwardsDNS() (bool, error) {
	file := e.resolverFile()
	if file == "" || !e.exists(file) {
		return false, nil
	}
	data, err := e.Host.ReadFile(file)
	return hasServer(string(data)), err
}

// hasServer looks for a name server that is not the machine's own loopback: in a pod
// that is the pod's.
func hasServer(resolvConf string) bool {
	for line := range strings.Lines(resolvConf) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(f[1]); err == nil && !a.IsLoopback() {
			return true
		}
	}
	return false
}
