package phases

import (
	"cmp"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"bootstrap/manifests"
	"bootstrap/phases/config"
	"bootstrap/phases/host"
)

// proxyAddon is kube-proxy.
func proxyAddon(c *config.Config, f host.Facts) (manifests.Addon, error) {
	data, err := yaml.Marshal(merged(proxyConfig(c, f), c.KubeProxy))
	if err != nil {
		return manifests.Addon{}, err
	}
	return manifests.KubeProxy{
		Image:  c.Images.Proxy,
		Config: string(data),
		Server: c.EndpointURL(),
	}.Objects()
}

// proxyMode is how kube-proxy will write its rules.
func proxyMode(c *config.Config, f host.Facts) string {
	mode, _ := merged(proxyConfig(c, f), c.KubeProxy)["mode"].(string)
	return mode
}

// proxyRules are what kube-proxy takes for its own, whoever made them.
func proxyRules(mode string) host.Firewall {
	if mode == "nftables" {
		return host.Firewall{Tables: proxyTables}
	}
	return host.Firewall{Chains: []string{"KUBE-SERVICES", "KUBE-PROXY-"}}
}

// proxySettings are what kube-proxy sets when it starts: a node port can be reached at
// 127.0.0.1 in iptables mode, unless the user has put an end to that.
func proxySettings(c *config.Config, f host.Facts) []kernelSetting {
	iptables, _ := c.KubeProxy["iptables"].(map[string]any)
	localhost, chosen := iptables["localhostNodePorts"].(bool)
	_, elsewhere := c.KubeProxy["nodePortAddresses"]
	isV4 := func(p netip.Prefix) bool { return p.Addr().Is4() }
	switch {
	case c.ProxyDisabled || proxyMode(c, f) != "iptables":
		return nil
	case chosen && !localhost || elsewhere || !slices.ContainsFunc(c.Networking.ServiceSubnets, isV4):
		return nil
	}
	return []kernelSetting{{"net.ipv4.conf.all.route_localnet", "1"}}
}

// conntrackSettings are what kube-proxy makes of its configuration when it starts.
func conntrackSettings(c *config.Config, f host.Facts) []kernelSetting {
	if c.ProxyDisabled || f.FixedConntrack {
		return nil
	}
	given, _ := c.KubeProxy["conntrack"].(map[string]any)
	var settings []kernelSetting
	if n := conntrackMax(given, runtime.NumCPU()); n > 0 {
		settings = append(settings, kernelSetting{"net.netfilter.nf_conntrack_max", strconv.Itoa(n)})
	}
	for _, s := range []struct{ field, name, standard string }{
		{"tcpEstablishedTimeout", "nf_conntrack_tcp_timeout_established", "24h"},
		{"tcpCloseWaitTimeout", "nf_conntrack_tcp_timeout_close_wait", "1h"},
		{"udpTimeout", "nf_conntrack_udp_timeout", "0s"},
		{"udpStreamTimeout", "nf_conntrack_udp_timeout_stream", "0s"},
	} {
		text, _ := given[s.field].(string)
		if d, err := time.ParseDuration(cmp.Or(text, s.standard)); err == nil && d > 0 {
			settings = append(settings, kernelSetting{"net.netfilter." + s.name, strconv.Itoa(int(d / time.Second))})
		}
	}
	if liberal, _ := given["tcpBeLiberal"].(bool); liberal {
		settings = append(settings, kernelSetting{"net.netfilter.nf_conntrack_tcp_be_liberal", "1"})
	}
	return settings
}

// conntrackMax is 0 where kube-proxy leaves it as it is.
func conntrackMax(given map[string]any, cpus int) int {
	number := func(field string, standard int) int {
		if n, err := strconv.Atoi(fmt.Sprint(given[field])); err == nil {
			return n
		}
		return standard
	}
	perCore := number("maxPerCore", 32768)
	if perCore <= 0 {
		return 0
	}
	const most = 1 << 20
	if scaled := perCore * cpus; scaled > most {
		return most
	}
	return max(perCore*cpus, number("min", 131072))
}

// proxyConfig is the KubeProxyConfiguration without the user's own.
func proxyConfig(c *config.Config, f host.Facts) map[string]any {
	mode := "iptables"
	if f.NFTables {
		mode = "nftables"
	}
	unspecified := netip.IPv4Unspecified()
	if c.AdvertiseAddress.Is6() {
		unspecified = netip.IPv6Unspecified()
	}
	var pods []string
	for _, s := range c.Networking.PodSubnets {
		pods = append(pods, s.String())
	}
	proxy := map[string]any{
		"apiVersion":       "kubeproxy.config.k8s.io/v1alpha1",
		"kind":             "KubeProxyConfiguration",
		"bindAddress":      unspecified.String(),
		"clientConnection": map[string]any{"kubeconfig": "/var/lib/kube-proxy/kubeconfig.conf"},
		"clusterCIDR":      strings.Join(pods, ","),
		"mode":             mode,
	}
	if f.FixedConntrack {
		// Zero leaves them as they are; kube-proxy ends where it can't set them.
		proxy["conntrack"] = map[string]any{"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}
	}
	return proxy
}
