package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"k8s.io/utils/ptr"

	"bootstrap/phases/locate"
)

// Machine is what the host contributes where the file is silent.
type Machine struct {
	Hostname string
	Address  netip.Addr // of the interface with the default route; invalid when there is none
	IPv6     netip.Addr // its IPv6 address, or else Address
	Bundled  string     // the Kubernetes version in the bundle; empty without one
	Flags    Flags
	// SingleNode is what this machine's cluster was made with; nil where there is none yet.
	SingleNode *bool
}

// Flags are the fields of BoxConfiguration that the command line has as well, where it goes
// before them.
type Flags struct {
	Standalone       *bool `yaml:"standalone,omitempty"`
	SingleNode       *bool `yaml:"singleNode,omitempty"`
	UploadCerts      *bool `yaml:"uploadCerts,omitempty"`
	WriteKubeconfig  *bool `yaml:"writeKubeconfig,omitempty"`
	PrintJoinCommand *bool `yaml:"printJoinCommand,omitempty"`
}

// Defaults as kubeadm has them, save where a comment says why not.
const (
	defaultPodSubnet4 = "10.244.0.0/16" // kubeadm has none: then no network can work
	defaultPodSubnet6 = "fd00:10:244::/48"
	defaultSubnet4    = "10.96.0.0/12"
	defaultSubnet6    = "fd00:10:96::/112"
	defaultTimeout    = 4 * time.Minute
	year              = 365 * 24 * time.Hour
)

// Parse reads a config file; name is for messages, an empty file is fine. It
// returns all findings at once, joined.
func Parse(name string, data []byte, m Machine) (*Config, error) {
	docs, errs := read(name, data)
	return parse(docs, errs, m)
}

func parse(docs documents, errs []error, m Machine) (*Config, error) {
	b := builder{machine: m, docs: docs, errs: errs}
	c := b.build()
	b.validate(c)
	if len(b.errs) > 0 {
		return nil, errors.Join(b.errs...)
	}
	c.Warnings = b.docs.warnings
	return c, nil
}

// builder collects findings instead of stopping at the first.
type builder struct {
	machine Machine
	docs    documents
	errs    []error
}

// bad adds a finding about a field of kubeadm's documents or ours: with file and line if
// it is in the file.
func (b *builder) bad(field, format string, args ...any) {
	b.found(b.docs.line(field), field+": "+fmt.Sprintf(format, args...))
}

// warn tells that a field means nothing here, or was taken for something else.
func (b *builder) warn(field, format string, args ...any) {
	b.docs.warn(b.docs.line(field), field+": "+fmt.Sprintf(format, args...))
}

// badIf is bad where something is so.
func (b *builder) badIf(is bool, field, format string, args ...any) {
	if is {
		b.bad(field, format, args...)
	}
}

// found adds a finding. What could not be read at all is not complained about twice.
func (b *builder) found(line int, text string) {
	isUnread := func(err error) bool {
		var f *locate.ReadError
		return errors.As(err, &f) && f.Line == line
	}
	switch {
	case line == 0:
		b.errs = append(b.errs, errors.New(text))
	case !slices.ContainsFunc(b.errs, isUnread):
		b.errs = append(b.errs, &locate.Finding{File: b.docs.name, Line: line, Text: text})
	}
}

func (b *builder) build() *Config {
	d, in, cl := b.docs, b.docs.init, b.docs.cluster
	n := in.NodeRegistration
	b.warnOfVersions()
	cl.KubernetesVersion = b.release(cl.KubernetesVersion)
	given := cmp.Or(in.LocalAPIEndpoint.AdvertiseAddress, Argument(cl.APIServer.ExtraArgs, "advertise-address"))
	address := b.address(given)
	port := cmp.Or(ptr.Deref(in.LocalAPIEndpoint.BindPort, 0), 6443)
	c := &Config{
		Cluster: Cluster{
			KubernetesVersion:    cl.KubernetesVersion,
			ClusterName:          cmp.Or(cl.ClusterName, "kubernetes"),
			ControlPlaneEndpoint: withPort(cl.ControlPlaneEndpoint, port),
			Networking:           b.networking(address),
			CertificatesDir:      withoutSlash(cmp.Or(cl.CertificatesDir, "/etc/kubernetes/pki")),
			CertSANs:             each(cl.APIServer.CertSANs, func(san *string) { *san = strings.ToLower(*san) }), // as kubeadm does
			KeyAlgorithm:         b.keyAlgorithm(cl),
			CertificateValidity:  ptr.Deref(cl.CertificateValidityPeriod, year),
			CAValidity:           ptr.Deref(cl.CACertificateValidityPeriod, 10*year),
			Etcd:                 b.etcd(cl.Etcd),
			APIServer:            cl.APIServer.Component,
			ControllerManager:    cl.ControllerManager,
			Scheduler:            cl.Scheduler,
			Images:               b.images(cl),
			DNSDisabled:          cl.DNS.Disabled,
			ProxyDisabled:        cl.Proxy.Disabled,
			Kubelet:              d.kubelet,
			KubeProxy:            d.kubeProxy,
		},
		Node: Node{
			NodeName:            strings.ToLower(cmp.Or(n.Name, b.machine.Hostname)),
			AdvertiseAddress:    address,
			BindPort:            port,
			CRISocket:           withScheme(n.CRISocket),
			KubeletExtraArgs:    n.KubeletExtraArgs,
			ImagePullPolicy:     cmp.Or(n.ImagePullPolicy, pullPolicies[0]),
			ImagePullSerial:     ptr.Deref(n.ImagePullSerial, false), // kubeadm: true, which takes the sum of all instead of the longest
			ControlPlaneTimeout: ptr.Deref(in.Timeouts.ControlPlaneComponentHealthCheck, defaultTimeout),
			APICallTimeout:      ptr.Deref(in.Timeouts.KubernetesAPICall, time.Minute),
			PatchesDir:          withoutSlash(in.Patches.Directory),
			IgnorePreflight:     n.IgnorePreflightErrors,
		},
		Run: Run{
			BootstrapTokens: b.bootstrapTokens(in.BootstrapTokens),
			CertificateKey:  in.CertificateKey,
		},
	}
	told := cmp.Or(Argument(n.KubeletExtraArgs, "container-runtime-endpoint"), textOf(c.Kubelet, "containerRuntimeEndpoint"))
	c.CRISocket = cmp.Or(c.CRISocket, withScheme(told))
	b.skip(c, in.SkipPhases)
	b.box(c, d.box)
	c.Taints = ptr.Deref(n.Taints, c.Box.defaultTaints())
	b.badIf(in.DryRun, "dryRun", "ask for it on the command line: bootstrap init --dry-run")
	dropEmpty(c.Kubelet, c.kubeletRules(), "cgroupDriver", "clusterDNS", "healthzBindAddress")
	dropEmpty(c.KubeProxy, c.kubeProxyRules(), "bindAddress", "mode")
	const name = "hostnameOverride" // of all nodes that read this document: a flag gives each its own, as with kubeadm
	if given := textOf(c.KubeProxy, name); given != "" && !isSame(given, c.NodeName) {
		b.docs.warn(locate.Line(d.roots[kubeProxyKind], name), name+": passed over: kube-proxy is told the name of each node")
	}
	delete(c.KubeProxy, name)
	return c
}

// warnOfVersions tells of documents in the version that kubeadm calls deprecated.
func (b *builder) warnOfVersions() {
	for _, kind := range []string{initKind, clusterKind} {
		if root := b.docs.roots[kind]; root != nil && locate.Text(root, "apiVersion") == kubeadmV1beta3 {
			b.docs.warn(locate.Line(root, "apiVersion"), "apiVersion: "+kubeadmV1beta3+" is deprecated; bootstrap config migrate writes this file in v1beta4")
		}
	}
}

// defaultTaints are those that the number of nodes calls for.
func (b Box) defaultTaints() []Taint {
	if b.SingleNode {
		return nil
	}
	return ControlPlaneTaints()
}

// ControlPlaneTaints are those of a control plane that is kept for itself.
func ControlPlaneTaints() []Taint {
	return []Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: "NoSchedule"}}
}

// address is the one given. One that is unspecified asks for the machine's of its IP family, as with kubeadm.
func (b *builder) address(given string) netip.Addr {
	a, err := netip.ParseAddr(given)
	b.badIf(err != nil && given != "", "localAPIEndpoint.advertiseAddress", "%q is no IP address", given)
	switch {
	case a == netip.IPv6Unspecified() && b.machine.IPv6.IsValid():
		return b.machine.IPv6
	case err != nil || a.IsUnspecified():
		return b.machine.Address
	}
	return a.Unmap()
}

// networking takes the range of pods from the programs that use it where podSubnet is silent, as kubeadm passes on
// what they are told; or else one for each IP family that Services have.
func (b *builder) networking(address netip.Addr) Networking {
	n, docs := b.docs.cluster.Networking, b.docs
	services := b.subnets("networking.serviceSubnet", cmp.Or(n.ServiceSubnet, defaultFor(address, defaultSubnet4, defaultSubnet6)))
	var pods []string
	for _, s := range services {
		pods = append(pods, defaultFor(s.Addr(), defaultPodSubnet4, defaultPodSubnet6))
	}
	told := cmp.Or(Argument(docs.cluster.ControllerManager.ExtraArgs, "cluster-cidr"), textOf(docs.kubeProxy, "clusterCIDR"))
	return Networking{
		ServiceSubnets: services,
		PodSubnets:     b.subnets("networking.podSubnet", cmp.Or(n.PodSubnet, told, strings.Join(pods, ","), defaultPodSubnet4)),
		DNSDomain:      cmp.Or(n.DNSDomain, "cluster.local"),
	}
}

func defaultFor(a netip.Addr, ipv4, ipv6 string) string {
	if a.Is6() {
		return ipv6
	}
	return ipv4
}

func (b *builder) subnets(field, list string) []netip.Prefix {
	var subnets []netip.Prefix
	for _, s := range strings.Split(list, ",") {
		p, err := netip.ParsePrefix(strings.TrimSpace(s))
		if err != nil || p.Addr().Is4In6() {
			b.bad(field, "%q is no subnet such as 10.96.0.0/12", s)
			continue
		}
		subnets = append(subnets, p.Masked())
	}
	return subnets
}

// withScheme makes a socket's path the address that gRPC wants. /var/run is a link to /run.
func withScheme(socket string) string {
	if socket == "" {
		return ""
	}
	return "unix://" + withoutVar(withoutScheme(socket))
}

// withoutScheme is the path of a socket: unix:/run/x.sock is the same as unix:///run/x.sock.
func withoutScheme(socket string) string {
	return strings.TrimPrefix(strings.TrimPrefix(socket, "unix:"), "//")
}

func withoutVar(path string) string {
	if rest, is := strings.CutPrefix(path, "/var/run/"); is {
		return "/run/" + rest
	}
	return path
}

// each is a list with a change of each entry.
func each[T any](list []T, change func(*T)) []T {
	changed := slices.Clone(list)
	for i := range changed {
		change(&changed[i])
	}
	return changed
}

// withoutSlash is a path or URL without a slash at its end.
func withoutSlash(path string) string {
	if path == "/" {
		return path
	}
	return strings.TrimSuffix(path, "/")
}

// withPort adds the API server's port to an endpoint that names none.
func withPort(endpoint string, port int) string {
	if endpoint == "" {
		return ""
	}
	if a, err := netip.ParseAddr(endpoint); err == nil {
		return netip.AddrPortFrom(a, uint16(port)).String()
	}
	if endpoint = strings.TrimSuffix(endpoint, ":"); strings.Contains(endpoint, ":") {
		return endpoint
	}
	return fmt.Sprintf("%s:%d", endpoint, port)
}

// skip takes names of phases, of kubeadm init and of bootstrap init. Those of addons are kubeadm's way to leave room
// for others: they are the cluster's, not of one run. values/phases.txt tells which of kubeadm's have no part here,
// as init has nothing for them to do, or keeps the files that it finds.
func (b *builder) skip(c *Config, names []string) {
	phases := table("values/phases.txt")
	for i, name := range names {
		field, here := at("skipPhases", i), strings.Join(phases[name], "")
		phase, _, _ := strings.Cut(name, "/")
		switch {
		case phases[name] == nil:
			b.bad(field, "%s", unknownName("there is no phase", name, list("values/phases.txt"))[0])
		case here == "nothing":
			b.warn(field, "passed over: %s is a phase of kubeadm's that bootstrap init has not", name)
		case here == "part":
			b.warn(field, "passed over: phase %s is left out as a whole, or not", phase)
		case phase == "addon":
			c.DNSDisabled = c.DNSDisabled || name != "addon/kube-proxy"
			c.ProxyDisabled = c.ProxyDisabled || name != "addon/coredns"
		case name == "etcd/local":
			c.SkipPhases = append(c.SkipPhases, phase)
		default:
			c.SkipPhases = append(c.SkipPhases, name)
		}
	}
}
