package spec

import (
	"sigs.k8s.io/yaml"

	"bootstrap/manifests"
	"bootstrap/phases/config"
	"bootstrap/phases/machine"
)

// ProxyAddon is kube-proxy.
func ProxyAddon(c *config.Config, f machine.Facts) (manifests.Addon, error) {
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
func proxyMode(c *config.Config, f machine.Facts) string {
	mode, _ := merged(proxyConfig(c, f), c.KubeProxy)["mode"].(string)
	return mode
}

// ProxySettings are what kube-proxy sets when it starts: a node port can be reached at
// 127.0.0.1 in iptables mode, unless the user has put an end to that.
func ProxySettings(c *config.Config, f machine.Facts) []KernelSetting {
	iptables, _ := c.KubeProxy["iptables"].(map[string]any)
	localhost, chosen := iptables["localhostNodePorts"].(bool)
	_, elsewhere := c.KubeProxy["nodePortAddresses"]
	switch {
	case c.ProxyDisabled || proxyMode(c, f) != "iptables":
		return nil
	case chosen && !localhost || elsewhere:
		return nil
	}
	return []KernelSetting{{"net.ipv4.conf.all.route_localnet", "1"}}
}

// proxyConfig is the KubeProxyConfiguration without the user's own.
func proxyConfig(c *config.Config, f machine.Facts) map[string]any {
	mode := "iptables"
	if f.NFTables {
		mode = "nftables"
	}
	proxy := map[string]any{
		"apiVersion":       "kubeproxy.config.k8s.io/v1alpha1",
		"kind":             "KubeProxyConfiguration",
		"bindAddress":      unspecified(c).String(),
		"clientConnection": map[string]any{"kubeconfig": "/var/lib/kube-proxy/kubeconfig.conf"},
		"clusterCIDR":      config.Joined(c.Networking.PodSubnets),
		"mode":             mode,
	}
	if f.FixedConntrack {
		// Zero has kube-proxy leave these settings as they are: it ends where it can't set them.
		proxy["conntrack"] = map[string]any{"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}
	}
	return proxy
}
