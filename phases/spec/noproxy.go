package spec

import (
	"cmp"
	"net"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"bootstrap/phases/config"
)

// Proxied is what of this cluster a proxy would be asked for, and that proxy, by the settings that programs
// written in Go read from their environment. A proxy knows nothing of the cluster.
func Proxied(c *config.Config, settings *httpproxy.Config) (all []string, proxy *url.URL) {
	ask := func(host, name string) {
		to := &url.URL{Scheme: "https", Host: net.JoinHostPort(host, "443")}
		if by, err := settings.ProxyFunc()(to); err == nil && by != nil {
			all, proxy = append(all, name), by
		}
	}
	if c.Box.Standalone {
		return nil, nil
	}
	for _, host := range []string{c.AdvertiseAddress.String(), c.EndpointHost()} {
		if host != "" {
			ask(host, host)
		}
	}
	for _, subnet := range slices.Concat(c.Networking.ServiceSubnets, c.Networking.PodSubnets) {
		ask(subnet.Addr().Next().String(), subnet.String())
	}
	return slices.Compact(all), proxy
}

// NoProxy is what NO_PROXY has to be for the kubelet and containerd. It is empty where the environment of all
// units, as NAME=VALUE, will do.
func NoProxy(c *config.Config, environment []string) string {
	value := map[string]string{}
	for _, each := range environment {
		name, v, _ := strings.Cut(each, "=")
		value[name] = v
	}
	given := &httpproxy.Config{
		HTTPSProxy: cmp.Or(value["HTTPS_PROXY"], value["https_proxy"], value["HTTP_PROXY"], value["http_proxy"]),
		NoProxy:    cmp.Or(value["NO_PROXY"], value["no_proxy"]),
	}
	all, proxy := Proxied(c, given)
	if proxy != nil && given.NoProxy != "" {
		all = slices.Insert(all, 0, given.NoProxy)
	}
	return strings.Join(all, ",")
}
