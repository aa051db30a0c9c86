package spec

import (
	_ "embed"
	"net/netip"
	"strings"

	"bootstrap/manifests"
	"bootstrap/phases/config"
	"bootstrap/phases/machine"
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

// corefileText caches no answers about names of the cluster, as these change at any time.
//
//go:embed Corefile
var corefileText string

// corefile leaves out forwarding where nobody could answer: CoreDNS would ask itself,
// find the loop and end.
func corefile(domain, forward string) string {
	if forward != "" {
		forward = "    forward . " + forward + " {\n        max_concurrent 1000\n    }\n    loop\n"
	}
	return strings.NewReplacer("DOMAIN", domain, "    FORWARD\n", forward).Replace(corefileText)
}

// Reachable is what CoreDNS can forward to, of the servers in a resolv.conf: if all can be
// reached from a pod, the file itself, whatever it will hold later; else those that can. It is
// empty if none is left.
func Reachable(servers []netip.Addr) string {
	var outside []string
	for _, s := range servers {
		if machine.PodReaches(s) {
			outside = append(outside, s.String())
		}
	}
	if len(outside) > 0 && len(outside) == len(servers) {
		return "/etc/resolv.conf"
	}
	return strings.Join(outside, " ")
}

// ResolverFile is what the kubelet makes pods' resolv.conf from.
func (s *Spec) ResolverFile() string {
	if own, ok := s.OwnResolver(); ok {
		return own
	}
	return resolvConf(s.Facts)
}

// OwnResolver is the user's choice: for the kubelet, a flag goes before its file.
func (s *Spec) OwnResolver() (file string, ok bool) {
	if flag := config.Argument(s.Config.KubeletExtraArgs, "resolv-conf"); flag != "" {
		return flag, true
	}
	file, ok = s.Config.Kubelet["resolvConf"].(string)
	return file, ok
}

// resolvConf is the file that pods' resolvers are made from. A missing one stops
// every pod, so none is better.
func resolvConf(f machine.Facts) string {
	switch {
	case f.ResolvedConf:
		return machine.ResolvedConfPath
	case f.ResolvConf:
		return "/etc/resolv.conf"
	}
	return ""
}
