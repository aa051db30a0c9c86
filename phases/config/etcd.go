package config

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"
)

// etcd has no data directory when it is external: nothing here is etcd's then.
func (b *builder) etcd(file etcdFile) Etcd {
	if file.External != nil {
		b.badIf(file.Local != nil, "etcd.external", "give either this or local")
		for _, urls := range [][]string{file.External.Endpoints, file.External.HTTPEndpoints} {
			for i, u := range urls {
				urls[i] = withoutSlash(u)
			}
		}
		return Etcd{External: file.External}
	}
	local := ptr.Deref(file.Local, localEtcd{}).Etcd
	local.DataDir = withoutSlash(cmp.Or(local.DataDir, "/var/lib/etcd"))
	return local
}

const metricsFlag = "listen-metrics-urls"

// volatile are folders that a start of the machine empties: in tests of a day they make etcd fast.
var volatile = regexp.MustCompile(`^(/var)?/(run|tmp|dev/shm)/`)

func (b *builder) validateEtcd(c *Config) {
	if c.Etcd.External != nil {
		b.validateExternalEtcd(*c.Etcd.External)
		return
	}
	if volatile.MatchString(c.Etcd.DataDir) {
		b.validatePath("etcd.local.dataDir", c.Etcd.DataDir)
		b.warn("etcd.local.dataDir", "%s is emptied when this machine starts, and the cluster is gone then", c.Etcd.DataDir)
	} else {
		b.validateOwnDir("etcd.local.dataDir", c.Etcd.DataDir, c.CertificatesDir, "/etc/kubernetes")
	}
	b.validateSANs("etcd.local.serverCertSANs", c.Etcd.ServerCertSANs)
	b.validateSANs("etcd.local.peerCertSANs", c.Etcd.PeerCertSANs)
	for i, a := range c.Etcd.ExtraArgs {
		if _, err := c.metricsAddress(a.Value); a.Name == metricsFlag && (err != nil || strings.Contains(a.Value, "https:")) {
			b.bad(at("etcd.local.extraArgs", i)+".value", "the kubelet asks etcd's health at the first, without a certificate: give http URLs with an address and a port")
		}
	}
}

// validateExternalEtcd wants TLS with client certificates, or none at all.
func (b *builder) validateExternalEtcd(e ExternalEtcd) {
	scheme := "http"
	if e.CAFile+e.CertFile+e.KeyFile != "" {
		scheme = "https"
		b.validatePath("etcd.external.caFile", e.CAFile)
		if e.CertFile+e.KeyFile != "" { // an etcd may do without certificates of its clients
			b.validatePath("etcd.external.certFile", e.CertFile)
			b.validatePath("etcd.external.keyFile", e.KeyFile)
		}
	}
	b.badIf(len(e.Endpoints) == 0, "etcd.external.endpoints", "name at least one, such as https://192.0.2.20:2379")
	for i, u := range e.Endpoints {
		if !isEtcdURL(u, scheme) {
			b.bad(at("etcd.external.endpoints", i), "%q is no URL such as %s://192.0.2.20:2379 (https with caFile, certFile and keyFile, http without)", u, scheme)
		}
	}
	for i, u := range e.HTTPEndpoints {
		b.badIf(!isEtcdURL(u, "http", "https"), at("etcd.external.httpEndpoints", i),
			"%q is no URL such as http://192.0.2.20:2381", u)
	}
}

func isEtcdURL(text string, schemes ...string) bool {
	u, err := url.Parse(text)
	return err == nil && slices.Contains(schemes, u.Scheme) && u.Scheme+"://"+u.Host == text && isHost(u.Hostname())
}

var numbers = regexp.MustCompile(`^\d+(\.\d+)+$`)

// isHost tells whether it is an IP address or a DNS name. 192.0.2.300 is a name to kubeadm, and nobody's.
func isHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Zone() == "" || validation.IsDNS1123Subdomain(host) == nil && !numbers.MatchString(host)
}

// EtcdMetrics is where this node's etcd answers over plain HTTP: the first of the URLs that
// an extra argument may name instead of ours.
func (c *Config) EtcdMetrics() netip.AddrPort {
	address, err := c.metricsAddress(Argument(c.Etcd.ExtraArgs, metricsFlag))
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
