package config

import (
	"fmt"
	"net"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

var (
	safePath = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)

	pullPolicies = []string{"IfNotPresent", "Always", "Never"} // the first is the default
)

// validate refuses what could not work, or could do harm, before anything is touched.
func (b *builder) validate(c *Config) {
	b.validateVersion(c.KubernetesVersion)
	b.validateNodeName(c.NodeName)
	b.badIf(!isText(c.ClusterName), "clusterName", "it holds a line break, NUL or bytes that are no text")
	b.validateOneOf("encryptionAlgorithm", c.KeyAlgorithm, keyAlgorithms)
	b.validateOneOf("nodeRegistration.imagePullPolicy", c.ImagePullPolicy, pullPolicies)
	b.validateAddresses(c)
	b.validateNetworking(c)
	b.validateNodeRanges(c)
	b.validateFirstFamily(c)
	b.validateLifetimes(c)
	b.validatePaths(c)
	b.validateEtcd(c)
	b.validatePrograms(c)
	b.validateIgnored(c.IgnorePreflight)
	b.validateTaints(c.Taints)
	b.validateSANs("apiServer.certSANs", c.CertSANs)
	b.validateTokens(c)
	b.validateBox(c)
	b.validateKubelet(c)
	b.validateTexts()
}

// validateNodeName says of the machine's own name how to change that, as nobody may have given a config file.
func (b *builder) validateNodeName(name string) {
	// 63: the Node's label kubernetes.io/hostname holds no more, and the kubelet can't register without.
	if len(name) <= 63 && validation.IsDNS1123Subdomain(name) == nil {
		return
	}
	const noName = "no DNS name in lower case of at most 63 characters"
	if b.docs.init.NodeRegistration.Name == "" {
		b.bad("nodeRegistration.name", "this machine is called %q, which is %s: hostnamectl set-hostname NAME, or say here how the node is called", name, noName)
		return
	}
	b.bad("nodeRegistration.name", "%q is %s", name, noName)
}

func (b *builder) validateAddresses(c *Config) {
	a := c.AdvertiseAddress
	switch {
	case !a.IsValid():
		b.bad("localAPIEndpoint.advertiseAddress", "this machine has no default route to choose an address by: set one")
	case !a.IsGlobalUnicast() || a.Zone() != "":
		b.bad("localAPIEndpoint.advertiseAddress", "%s is no address that other nodes can reach", a)
	}
	b.badIf(c.BindPort < 1 || c.BindPort > 65535, "localAPIEndpoint.bindPort", "%d is no port", c.BindPort)
	if slices.Contains([]int{2379, 2380, 2381, 10248, 10250, 10257, 10259}, c.BindPort) {
		b.bad("localAPIEndpoint.bindPort", "%d belongs to another part of the control plane", c.BindPort)
	}
	b.validateEndpoint(c.ControlPlaneEndpoint)
}

func (b *builder) validateEndpoint(endpoint string) {
	if endpoint == "" {
		return
	}
	host, port, err := net.SplitHostPort(endpoint)
	n, perr := strconv.ParseUint(port, 10, 16)
	b.badIf(err != nil || perr != nil || n < 1 || !isHost(host), "controlPlaneEndpoint",
		"%q is no HOST or HOST:PORT in lower case", endpoint)
}

const podSubnet = "networking.podSubnet"

func (b *builder) validateNetworking(c *Config) {
	n := c.Networking
	b.badIf(validation.IsDNS1123Subdomain(n.DNSDomain) != nil, "networking.dnsDomain", "%q is no DNS name", n.DNSDomain)
	b.validateSubnets(c, "networking.serviceSubnet", n.ServiceSubnets)
	b.validateSubnets(c, podSubnet, n.PodSubnets)
	for _, s := range n.ServiceSubnets {
		if size := s.Addr().BitLen() - s.Bits(); size > 20 || size < 4 {
			b.bad("networking.serviceSubnet", "%s must hold between 16 and 1048576 addresses", s)
		}
		for _, p := range n.PodSubnets {
			b.validateOverlap(c, p, s)
		}
	}
}

// validateOverlap takes a pod range around a Service range: the controller manager leaves that out when it divides
// the pod range (filterOutServiceRange of its ipam). A pod range inside of one has nothing left.
func (b *builder) validateOverlap(c *Config, pods, services netip.Prefix) {
	_, isLeft := c.firstNodeRange(pods)
	switch {
	case !pods.Overlaps(services):
	case pods.Bits() >= services.Bits():
		b.bad(podSubnet, "%s lies in the Service range %s: take another", pods, services)
	case !isLeft:
		b.bad(podSubnet, "no /%d of %s is left for a node beside the Service range: take another", c.nodeBits(pods), pods)
	default:
		b.warn(podSubnet, "%s holds the Service range %s: kube-controller-manager gives that part to no Node, "+
			"but a network that divides pods' addresses by itself might", pods, services)
	}
}

// validateFirstFamily refuses what the API server does: Services whose first family is not
// the node's; and Services of a family that no pod has.
func (b *builder) validateFirstFamily(c *Config) {
	a, services, pods := c.AdvertiseAddress, c.Networking.ServiceSubnets, c.Networking.PodSubnets
	if !a.IsValid() || len(services) == 0 || len(pods) == 0 {
		return // said already
	}
	b.badIf(services[0].Addr().Is4() != a.Is4(), "networking.serviceSubnet",
		"the first range, %s, must be of the same IP family as the advertise address, %s", services[0], a)
	for _, s := range services {
		if !slices.ContainsFunc(pods, func(p netip.Prefix) bool { return p.Addr().Is4() == s.Addr().Is4() }) {
			b.bad("networking.podSubnet", "no range has the IP family of the Service range %s", s)
		}
	}
}

// validateSubnets wants one of each family at most, and none that would cut the node off: of a pod range that is the
// part that this node gets. Home networks often lie in what is left of it.
func (b *builder) validateSubnets(c *Config, field string, subnets []netip.Prefix) {
	b.badIf(len(subnets) > 2 || (len(subnets) == 2 && subnets[0].Addr().Is4() == subnets[1].Addr().Is4()), field,
		"give one subnet, or one IPv4 and one IPv6 subnet")
	for _, s := range subnets {
		own := s
		if field == podSubnet {
			own, _ = c.firstNodeRange(s)
		}
		switch {
		case own.Contains(c.AdvertiseAddress):
			b.bad(field, "%s contains the advertise address, %s, which nobody would reach then: take another range", own, c.AdvertiseAddress)
		case s.Contains(c.AdvertiseAddress):
			b.warn(field, "%s contains the advertise address, %s: pods may reach nobody beside it, "+
				"and a node that is given that part would cut it off", s, c.AdvertiseAddress)
		}
	}
}

func (b *builder) validateLifetimes(c *Config) {
	b.badIf(c.CertificateValidity < time.Hour, "certificateValidityPeriod",
		"%s is under an hour", c.CertificateValidity)
	b.badIf(c.CAValidity < c.CertificateValidity, "caCertificateValidityPeriod",
		"%s is shorter than that of the certificates it signs, %s", c.CAValidity, c.CertificateValidity)
	if c.ControlPlaneTimeout < time.Second {
		field := "timeouts.controlPlaneComponentHealthCheck"
		if b.docs.oldTimeout {
			field = "apiServer.timeoutForControlPlane"
		}
		b.bad(field, "%s is under a second", c.ControlPlaneTimeout)
	}
	b.warnOfLong("certificateValidityPeriod", c.CertificateValidity, year)
	b.warnOfLong("caCertificateValidityPeriod", c.CAValidity, 10*year)
	b.badIf(c.APICallTimeout < time.Second, "timeouts.kubernetesAPICall", "%s is under a second", c.APICallTimeout)
}

func (b *builder) warnOfLong(field string, given, usual time.Duration) {
	if given > usual {
		b.warn(field, "%s is longer than is recommended, %s: a key that is stolen is good for as long", given, usual)
	}
}

func (b *builder) validatePaths(c *Config) {
	b.validateOwnDir("certificatesDir", c.CertificatesDir, TrustedCAs...)
	if given := b.docs.init.NodeRegistration.CRISocket; given != "" && !strings.HasPrefix(given, "unix://") {
		b.warn("nodeRegistration.criSocket", "taken as %s: write it with unix://", c.CRISocket)
	}
	if s := c.CRISocket; s != "" {
		b.validatePath("nodeRegistration.criSocket", strings.TrimPrefix(s, "unix://"))
	}
	b.badIf(!isText(c.PatchesDir), "patches.directory", "it holds a line break, NUL or bytes that are no text")
	b.badIf(!isRepository(c.Images.Repository), "imageRepository",
		"%q is no image repository", c.Images.Repository)
}

// validatePath accepts absolute, clean paths at least two levels deep: reset
// removes what is below them, so "/" or "/etc" is never what is meant.
func (b *builder) validatePath(field, p string) {
	b.badIf(!safePath.MatchString(p) || path.Clean(p) != p || strings.Count(p, "/") < 2, field,
		"%q must be an absolute path of at least two levels, without '..', links and special characters", p)
}

// foreignDirs hold what is not ours, is gone after a start, or is removed with something else.
var foreignDirs = []string{
	staticPodDir, "/run", "/var/run", "/dev", "/proc", "/sys", "/tmp", "/var/tmp", "/usr", "/bin", "/sbin", "/lib", "/boot",
	"/var/lib/kubelet", "/var/lib/bootstrap", "/var/lib/containerd", "/opt/cni", "/etc/cni", "/etc/containerd", "/var/log",
}

// TrustedCAs are the folders in which distributions keep the CAs that they trust.
var TrustedCAs = []string{
	"/etc/ssl/certs", "/etc/ca-certificates", "/etc/pki/ca-trust", "/etc/pki/tls/certs", "/usr/local/share/ca-certificates", "/usr/share/ca-certificates",
}

// validateOwnDir wants a folder that nothing else is in: not what is in foreignDirs and more.
func (b *builder) validateOwnDir(field, dir string, more ...string) {
	b.validatePath(field, dir)
	for _, other := range slices.Concat(more, foreignDirs) {
		if within(dir, other) || within(other, dir) {
			b.bad(field, "%q must not share a folder with %s: take one that nothing else uses", dir, other)
			return
		}
	}
}

// validateIgnored wants all alone, as kubeadm does, and tells that it is not all. Other names are kubeadm's, or preflight
// knows them.
func (b *builder) validateIgnored(checks []string) {
	const field = "nodeRegistration.ignorePreflightErrors"
	isAll := func(name string) bool { return strings.EqualFold(name, "all") }
	isOther := func(name string) bool { return !isAll(name) }
	if i := slices.IndexFunc(checks, isAll); i >= 0 {
		b.badIf(slices.ContainsFunc(checks, isOther), field, "leave out the others beside %q", checks[i])
		b.warn(at(field, i), "%q: what init does not work past stops it nevertheless", checks[i])
	}
}

// within tells whether path is dir or lies below it.
func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func (b *builder) validateOneOf(field, value string, known []string) {
	b.badIf(!slices.Contains(known, value), field, "%q is unknown, want one of %v", value, known)
}

func at(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }

func (b *builder) validateTaints(taints []Taint) {
	for i, t := range taints {
		field := at("nodeRegistration.taints", i)
		b.badIf(validation.IsQualifiedName(t.Key) != nil, field+".key", "%q is no label name", t.Key)
		b.badIf(validation.IsValidLabelValue(t.Value) != nil, field+".value", "%q is no label value", t.Value)
		b.validateOneOf(field+".effect", t.Effect, []string{"NoSchedule", "PreferNoSchedule", "NoExecute"})
		if slices.ContainsFunc(taints[:i], func(other Taint) bool { return other.Key == t.Key && other.Effect == t.Effect }) {
			b.bad(field+".key", "%s is given twice with the effect %s", t.Key, t.Effect)
		}
	}
}

func (b *builder) validateSANs(field string, sans []string) {
	for i, san := range sans {
		b.badIf(!isHost(san) && validation.IsDNS1123Subdomain(strings.TrimPrefix(san, "*.")) != nil, at(field, i),
			"%q is neither an IP address nor a DNS name", san)
	}
}
