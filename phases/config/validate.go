package config

import (
	"net"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	dnsSubdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	plainName    = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`)
	release      = regexp.MustCompile(`^v1\.36\.\d+$`)
	flagName     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)
	repository   = regexp.MustCompile(`^[a-z0-9]([-a-z0-9._/:]*[a-z0-9])?$`)
	safePath     = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)
)

// keyAlgorithms are kubeadm's names; the first is the default.
var keyAlgorithms = []string{"ECDSA-P256", "ECDSA-P384", "RSA-2048", "RSA-3072", "RSA-4096"}

// validate refuses what could not work, or could do harm, before anything is touched.
func (b *builder) validate(c *Config) {
	if !release.MatchString(c.KubernetesVersion) {
		b.bad("kubernetesVersion", "%q is not supported, want v1.36.x", c.KubernetesVersion)
	}
	if len(c.NodeName) > 253 || !dnsSubdomain.MatchString(c.NodeName) {
		b.bad("nodeRegistration.name", "%q is no DNS name in lower case", c.NodeName)
	}
	if !plainName.MatchString(c.ClusterName) {
		b.bad("clusterName", "%q may hold only letters, digits, '-', '_' and '.'", c.ClusterName)
	}
	if !slices.Contains(keyAlgorithms, c.KeyAlgorithm) {
		b.bad("encryptionAlgorithm", "%q is unknown, want one of %v", c.KeyAlgorithm, keyAlgorithms)
	}
	b.validateAddresses(c)
	b.validateNetworking(c.Networking)
	b.validateLifetimes(c)
	b.validatePaths(c)
	b.validateArgs("etcd.local.extraArgs", c.Etcd.ExtraArgs)
	b.validateArgs("apiServer.extraArgs", c.APIServer.ExtraArgs)
	b.validateArgs("controllerManager.extraArgs", c.ControllerManager.ExtraArgs)
	b.validateArgs("scheduler.extraArgs", c.Scheduler.ExtraArgs)
	b.validateArgs("nodeRegistration.kubeletExtraArgs", c.KubeletExtraArgs)
	b.validateSANs("apiServer.certSANs", c.CertSANs)
	b.validateSANs("etcd.local.serverCertSANs", c.Etcd.ServerCertSANs)
	b.validateSANs("etcd.local.peerCertSANs", c.Etcd.PeerCertSANs)
}

func (b *builder) validateAddresses(c *Config) {
	a := c.AdvertiseAddress
	switch {
	case !a.IsValid() && len(b.errs) == 0:
		b.bad("localAPIEndpoint.advertiseAddress", "this machine has no default route to choose an address by: set one")
	case a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a.Zone() != "":
		b.bad("localAPIEndpoint.advertiseAddress", "%s is no address that other nodes can reach", a)
	}
	if c.BindPort < 1 || c.BindPort > 65535 {
		b.bad("localAPIEndpoint.bindPort", "%d is no port", c.BindPort)
	}
	for _, taken := range []int{2379, 2380, 2381, 10248, 10250, 10257, 10259} {
		if c.BindPort == taken {
			b.bad("localAPIEndpoint.bindPort", "%d belongs to another part of the control plane", taken)
		}
	}
	b.validateEndpoint(c.ControlPlaneEndpoint)
}

func (b *builder) validateEndpoint(endpoint string) {
	if endpoint == "" {
		return
	}
	host, port, err := net.SplitHostPort(endpoint)
	n, perr := strconv.Atoi(port)
	_, ipErr := netip.ParseAddr(host)
	if err != nil || perr != nil || n < 1 || n > 65535 || (ipErr != nil && !dnsSubdomain.MatchString(host)) {
		b.bad("controlPlaneEndpoint", "%q is no HOST or HOST:PORT", endpoint)
	}
}

func (b *builder) validateNetworking(n Networking) {
	if !dnsSubdomain.MatchString(n.DNSDomain) {
		b.bad("networking.dnsDomain", "%q is no DNS name", n.DNSDomain)
	}
	b.validateFamilies("networking.serviceSubnet", n.ServiceSubnets)
	b.validateFamilies("networking.podSubnet", n.PodSubnets)
	for _, s := range n.ServiceSubnets {
		if size := s.Addr().BitLen() - s.Bits(); size > 20 || size < 4 {
			b.bad("networking.serviceSubnet", "%s must hold between 16 and 1048576 addresses", s)
		}
		for _, p := range n.PodSubnets {
			if s.Overlaps(p) {
				b.bad("networking.podSubnet", "%s overlaps the Service range %s", p, s)
			}
		}
	}
	for _, p := range n.PodSubnets {
		if p.Bits() > nodeBits(p) {
			b.bad("networking.podSubnet", "%s is too small for one node, which needs a /%d", p, nodeBits(p))
		}
	}
}

func (b *builder) validateFamilies(field string, subnets []netip.Prefix) {
	if len(subnets) > 2 || (len(subnets) == 2 && subnets[0].Addr().Is4() == subnets[1].Addr().Is4()) {
		b.bad(field, "give one subnet, or one IPv4 and one IPv6 subnet")
	}
}

func (b *builder) validateLifetimes(c *Config) {
	if c.CertificateValidity < time.Hour {
		b.bad("certificateValidityPeriod", "%s is under an hour", c.CertificateValidity)
	}
	if c.CAValidity < c.CertificateValidity {
		b.bad("caCertificateValidityPeriod", "%s is shorter than that of the certificates it signs, %s", c.CAValidity, c.CertificateValidity)
	}
	if c.ControlPlaneTimeout < time.Second {
		b.bad("timeouts.controlPlaneComponentHealthCheck", "%s is under a second", c.ControlPlaneTimeout)
	}
}

func (b *builder) validatePaths(c *Config) {
	b.validatePath("certificatesDir", c.CertificatesDir)
	b.validatePath("etcd.local.dataDir", c.Etcd.DataDir)
	if s := c.CRISocket; s != "" {
		b.validatePath("nodeRegistration.criSocket", strings.TrimPrefix(s, "unix://"))
	}
	if !repository.MatchString(c.Images.Etcd) {
		b.bad("imageRepository", "%q is no image repository", strings.TrimSuffix(c.Images.Etcd, "/etcd:"+etcdTag))
	}
}

// validatePath accepts absolute, clean paths at least two levels deep: reset
// removes what is below them, so "/" or "/etc" is never what is meant.
func (b *builder) validatePath(field, p string) {
	if !safePath.MatchString(p) || path.Clean(p) != p || strings.Count(p, "/") < 2 {
		b.bad(field, "%q must be an absolute path of at least two levels, without '..', links and special characters", p)
	}
}

func (b *builder) validateArgs(field string, args []Arg) {
	for i, a := range args {
		if !flagName.MatchString(a.Name) {
			b.bad(field, "[%d].name %q is no flag name (write it without dashes)", i, a.Name)
		}
		if strings.ContainsAny(a.Value, "\x00\n\r") {
			b.bad(field, "[%d].value of %s holds a line break or NUL", i, a.Name)
		}
	}
}

func (b *builder) validateSANs(field string, sans []string) {
	for _, san := range sans {
		_, err := netip.ParseAddr(san)
		if err != nil && !dnsSubdomain.MatchString(strings.TrimPrefix(san, "*.")) {
			b.bad(field, "%q is neither an IP address nor a DNS name", san)
		}
	}
}
