package spec

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"bootstrap/phases/config"
	"bootstrap/phases/machine"
	"bootstrap/templates"
)

// KeepsOff names what gives the Node a taint that CoreDNS does not tolerate; empty if
// nothing does. That the taint goes, or other nodes come, can happen only after init.
func KeepsOff(c *config.Config) string {
	if config.Argument(c.KubeletExtraArgs, "cloud-provider") == "external" {
		return "the taint that waits for a cloud controller manager"
	}
	if _, own := c.Kubelet["registerWithTaints"]; own && len(c.Taints) == 0 {
		return "registerWithTaints of KubeletConfiguration"
	}
	for _, t := range c.Taints {
		if !slices.Contains(config.ControlPlaneTaints(), t) && t.Effect != "PreferNoSchedule" {
			return "the taint " + t.String()
		}
	}
	return ""
}

// BridgeName is not cni0: other tools use that, and leave it behind with an address
// that stops every pod.
const BridgeName = "bootstrap0"

// VXLANPort is where flannel's link takes packets of other nodes, by UDP: the kernel's own default.
const VXLANPort = 8472

// podLinks are the names of links by which pods' addresses are meant to be reached.
var podLinks = []string{"cni", "flannel", "cali", "cilium", "lxc", "veth", "kube-", "vxlan.calico", "tunl"}

// notPodLinks begin like those, and are of podman and LXC.
var notPodLinks = []string{"cni-podman", "lxcbr"}

// IsPodLink tells whether pods are reached by a network link of that name.
func IsPodLink(link string) bool {
	begins := func(prefix string) bool { return strings.HasPrefix(link, prefix) }
	named := slices.ContainsFunc(podLinks, begins) && !slices.ContainsFunc(notPodLinks, begins)
	return named || slices.Contains(NetworkLinks, link)
}

// IsNetwork tells whether a runtime reads a file of the folder of CNI configurations: it
// passes over backups, and files that are being written.
func IsNetwork(path string) bool {
	return slices.Contains([]string{".conf", ".conflist", ".json"}, filepath.Ext(path)) && filepath.Base(path)[0] != '.'
}

// NodeNetwork is the bridge of the first node. On a standalone node the bridge itself has to
// hide pods' addresses from the world; in a cluster, flannel does.
func NodeNetwork(c *config.Config, f machine.Facts) templates.BridgeNetwork {
	n := templates.BridgeNetwork{Bridge: BridgeName, MTU: strconv.Itoa(podMTU(c, f)), Masq: c.Box.Standalone}
	for _, s := range c.NodePodSubnets() {
		n.Subnets = append(n.Subnets, s.String())
	}
	return n
}

// anyNodeNetwork is a bridge for every node: on each, cni-install fills in the variables.
func anyNodeNetwork(c *config.Config) templates.BridgeNetwork {
	n := templates.BridgeNetwork{Bridge: BridgeName, MTU: "${MTU}"}
	for _, s := range c.Networking.PodSubnets {
		variable := "${SUBNET}"
		if s.Addr().Is6() {
			variable = "${SUBNET6}"
		}
		n.Subnets = append(n.Subnets, variable)
	}
	return n
}

// What VXLAN's headers take of each packet: over IPv4, and how much more over IPv6.
const (
	vxlanOverhead  = 50
	vxlanOverhead6 = 20
	ethernetMTU    = 1500
)

// podMTU is the MTU of pods' links: flannel and cni-install reckon the same from the MTU of
// the node's link.
func podMTU(c *config.Config, f machine.Facts) int {
	mtu := cmp.Or(f.MTUs[c.AdvertiseAddress], ethernetMTU) - vxlanOverhead
	if slices.ContainsFunc(c.Networking.PodSubnets, func(s netip.Prefix) bool { return s.Addr().Is6() }) {
		mtu -= vxlanOverhead6
	}
	return mtu
}

// Proxied is what of this cluster a proxy would be asked for, and that proxy, by the settings that programs
// written in Go read from their environment. A proxy knows nothing of the cluster.
func Proxied(c *config.Config, settings httpproxy.Config) (all []string, proxy *url.URL) {
	ranges := strings.Split(config.Joined(slices.Concat(c.Networking.ServiceSubnets, c.Networking.PodSubnets)), ",")
	for _, name := range append([]string{c.AdvertiseAddress.String(), c.EndpointHost()}, ranges...) {
		host, _, _ := strings.Cut(name, "/") // of a range its first address
		by, err := settings.ProxyFunc()(&url.URL{Scheme: "https", Host: net.JoinHostPort(host, "443")})
		if name != "" && !c.Box.Standalone && err == nil && by != nil {
			all, proxy = append(all, name), by
		}
	}
	return slices.Compact(all), proxy
}

// NoProxy is what NO_PROXY has to be for the kubelet and containerd beside the environment that systemd gives to all
// units, and others to theirs, as NAME=VALUE. It is empty where that keeps the proxy from being asked for the cluster.
func NoProxy(c *config.Config, environment []string) string {
	settings := proxySettings(environment)
	all, proxy := Proxied(c, settings)
	if proxy != nil && settings.NoProxy != "" {
		all = slices.Insert(all, 0, settings.NoProxy)
	}
	return strings.Join(all, ",")
}

// ProxiedBy is Proxied by an environment, as NAME=VALUE.
func ProxiedBy(c *config.Config, environment []string) (all []string, proxy *url.URL) {
	return Proxied(c, proxySettings(environment))
}

// proxySettings takes a proxy for HTTP as one for HTTPS, too: who sets the one alone means both.
func proxySettings(environment []string) httpproxy.Config {
	value := map[string]string{}
	for _, each := range environment {
		name, v, _ := strings.Cut(each, "=")
		value[name] = v
	}
	by := cmp.Or(value["HTTPS_PROXY"], value["https_proxy"], value["HTTP_PROXY"], value["http_proxy"])
	return httpproxy.Config{HTTPSProxy: by, NoProxy: cmp.Or(value["NO_PROXY"], value["no_proxy"])}
}
