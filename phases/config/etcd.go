package config

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// etcd has no data directory when it is external: nothing here is etcd's then.
func (b *builder) etcd(file etcdFile) Etcd {
	if file.External != nil {
		if file.Local != nil {
			b.bad("etcd.external", "give either this or local")
		}
		external := *file.External
		external.Endpoints, external.HTTPEndpoints = withoutSlashes(external.Endpoints), withoutSlashes(external.HTTPEndpoints)
		if len(external.HTTPEndpoints) == 0 {
			external.HTTPEndpoints = external.Endpoints
		}
		return Etcd{External: &external}
	}
	local := deref(file.Local, localEtcd{}).Etcd
	local.DataDir = withoutSlash(cmp.Or(local.DataDir, "/var/lib/etcd"))
	return local
}

func (b *builder) validateEtcd(c *Config) {
	if c.Etcd.External != nil {
		b.validateExternalEtcd(*c.Etcd.External)
		return
	}
	b.validateOwnDir("etcd.local.dataDir", c.Etcd.DataDir, c.CertificatesDir, "/etc/kubernetes")
	b.validateEnvs("etcd.local", c.Etcd.ExtraEnvs)
	b.validateSANs("etcd.local.serverCertSANs", c.Etcd.ServerCertSANs)
	b.validateSANs("etcd.local.peerCertSANs", c.Etcd.PeerCertSANs)
}

// validateExternalEtcd wants TLS with client certificates, or none at all.
func (b *builder) validateExternalEtcd(e ExternalEtcd) {
	files := []struct{ name, path string }{{"caFile", e.CAFile}, {"certFile", e.CertFile}, {"keyFile", e.KeyFile}}
	tls := e.CAFile+e.CertFile+e.KeyFile != ""
	for _, f := range files {
		if tls {
			b.validatePath("etcd.external."+f.name, f.path)
		}
	}
	if len(e.Endpoints) == 0 {
		b.bad("etcd.external.endpoints", "name at least one, such as https://192.0.2.20:2379")
	}
	for i, u := range e.Endpoints {
		b.validateEtcdURL(at("etcd.external.endpoints", i), u, tls)
	}
	if slices.Equal(e.Endpoints, e.HTTPEndpoints) {
		return
	}
	for i, u := range e.HTTPEndpoints {
		b.validateEtcdURL(at("etcd.external.httpEndpoints", i), u, tls && strings.HasPrefix(u, "https:"))
	}
}

func (b *builder) validateEtcdURL(field, text string, tls bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != text || !isHost(u.Hostname()) {
		b.bad(field, "%q is no URL such as https://192.0.2.20:2379", text)
		return
	}
	switch {
	case tls && u.Scheme != "https":
		b.bad(field, "%q must be https, as there are certificates for it", text)
	case !tls && u.Scheme == "https" && !strings.Contains(field, "httpEndpoints"):
		b.bad(field, "%q needs caFile, certFile and keyFile", text)
	case u.Scheme != "https" && u.Scheme != "http":
		b.bad(field, "%q must begin with https:// or http://", text)
	}
}

func isHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Zone() == "" || dnsSubdomain.MatchString(host)
}

// EtcdMetrics is where this node's etcd answers over plain HTTP: the first of the URLs that
// an extra argument may name instead of ours.
func (c *Config) EtcdMetrics() netip.AddrPort {
	address, err := c.metricsAddress(Argument(c.Etcd.ExtraArgs, "listen-metrics-urls"))
	if err != nil {
		return netip.AddrPortFrom(c.Loopback(), 2381)
	}
	return address
}

func (c *Config) metricsAddress(urls string) (netip.AddrPort, error) {
	first, _, _ := strings.Cut(urls, ",")
	u, err := url.Parse(first)
	if err != nil {
		return netip.AddrPort{}, err
	}
	host := u.Hostname()
	if host == "localhost" { // the one name that etcd takes here
		host = c.Loopback().String()
	}
	return netip.ParseAddrPort(net.JoinHostPort(host, u.Port()))
}
