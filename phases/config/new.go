package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Machine is what the host contributes where the file is silent.
type Machine struct {
	Hostname string
	Address  netip.Addr // of the interface with the default route; invalid when there is none
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

// Default is the Config of a machine without a config file.
func Default(m Machine) (*Config, error) { return Parse("", nil, m) }

// Parse reads a config file; name is for messages, an empty file is fine. It
// returns all findings at once, joined.
func Parse(name string, data []byte, m Machine) (*Config, error) {
	docs, errs := read(name, data)
	b := builder{machine: m, docs: docs, errs: errs}
	c := b.build(docs)
	b.validate(c)
	if len(b.errs) > 0 {
		return nil, errors.Join(b.errs...)
	}
	return c, nil
}

// builder collects findings instead of stopping at the first.
type builder struct {
	machine Machine
	docs    documents
	errs    []error
}

// bad adds a finding: with file and line if the field is in the file. What could
// not be read at all is not complained about twice.
func (b *builder) bad(field, format string, args ...any) {
	text := fmt.Sprintf("%s: %s", field, fmt.Sprintf(format, args...))
	line := b.docs.line(field)
	switch {
	case line == 0:
		b.errs = append(b.errs, errors.New(text))
	case !slices.ContainsFunc(b.errs, func(err error) bool { return unread(err, line) }):
		b.errs = append(b.errs, &finding{b.docs.name, line, text})
	}
}

func (b *builder) build(d documents) *Config {
	in, cl := d.init, d.cluster
	version := cmp.Or(cl.KubernetesVersion, DefaultVersion)
	address := b.address(in.LocalAPIEndpoint.AdvertiseAddress)
	return &Config{
		KubernetesVersion:    version,
		ClusterName:          cmp.Or(cl.ClusterName, "kubernetes"),
		NodeName:             cmp.Or(in.NodeRegistration.Name, strings.ToLower(b.machine.Hostname)),
		AdvertiseAddress:     address,
		BindPort:             deref(in.LocalAPIEndpoint.BindPort, 6443),
		ControlPlaneEndpoint: withPort(cl.ControlPlaneEndpoint, deref(in.LocalAPIEndpoint.BindPort, 6443)),
		Networking:           b.networking(cl, address),
		CertificatesDir:      cmp.Or(cl.CertificatesDir, "/etc/kubernetes/pki"),
		CertSANs:             cl.APIServer.CertSANs,
		KeyAlgorithm:         cmp.Or(cl.EncryptionAlgorithm, keyAlgorithms[0]), // kubeadm: RSA-2048, 25 times slower
		CertificateValidity:  deref((*time.Duration)(cl.CertificateValidityPeriod), year),
		CAValidity:           deref((*time.Duration)(cl.CACertificateValidityPeriod), 10*year),
		CRISocket:            withScheme(in.NodeRegistration.CRISocket),
		Taints:               in.NodeRegistration.Taints,
		KubeletExtraArgs:     in.NodeRegistration.KubeletExtraArgs,
		Etcd: Etcd{
			DataDir:        cmp.Or(cl.Etcd.Local.DataDir, "/var/lib/etcd"),
			ServerCertSANs: cl.Etcd.Local.ServerCertSANs,
			PeerCertSANs:   cl.Etcd.Local.PeerCertSANs,
			ExtraArgs:      cl.Etcd.Local.ExtraArgs,
		},
		APIServer:           Component{ExtraArgs: cl.APIServer.ExtraArgs},
		ControllerManager:   Component{ExtraArgs: cl.ControllerManager.ExtraArgs},
		Scheduler:           Component{ExtraArgs: cl.Scheduler.ExtraArgs},
		Images:              NewImages(cmp.Or(cl.ImageRepository, DefaultImageRepository), version),
		ControlPlaneTimeout: deref((*time.Duration)(in.Timeouts.ControlPlaneComponentHealthCheck), defaultTimeout),
	}
}

// unread tells whether err is about a value at this line that could not be read.
func unread(err error, line int) bool {
	var f *readError
	return errors.As(err, &f) && f.line == line
}

func (b *builder) address(given string) netip.Addr {
	if given == "" {
		return b.machine.Address
	}
	a, err := netip.ParseAddr(given)
	if err != nil {
		b.bad("localAPIEndpoint.advertiseAddress", "%q is no IP address", given)
		return b.machine.Address
	}
	return a.Unmap()
}

func (b *builder) networking(cl clusterConfiguration, address netip.Addr) Networking {
	services, pods := defaultSubnet4, defaultPodSubnet4
	if address.Is6() {
		services, pods = defaultSubnet6, defaultPodSubnet6
	}
	return Networking{
		ServiceSubnets: b.subnets("networking.serviceSubnet", cmp.Or(cl.Networking.ServiceSubnet, services)),
		PodSubnets:     b.subnets("networking.podSubnet", cmp.Or(cl.Networking.PodSubnet, pods)),
		DNSDomain:      cmp.Or(cl.Networking.DNSDomain, "cluster.local"),
	}
}

func (b *builder) subnets(field, list string) []netip.Prefix {
	var subnets []netip.Prefix
	for _, s := range strings.Split(list, ",") {
		p, err := netip.ParsePrefix(strings.TrimSpace(s))
		if err != nil || p != p.Masked() || p.Addr().Is4In6() {
			b.bad(field, "%q is no subnet such as 10.96.0.0/12", s)
			continue
		}
		subnets = append(subnets, p)
	}
	return subnets
}

func deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// withScheme makes a socket's path the address that gRPC wants.
func withScheme(socket string) string {
	if socket == "" || strings.HasPrefix(socket, "unix://") {
		return socket
	}
	return "unix://" + socket
}

// withPort adds the API server's port to an endpoint that names none.
func withPort(endpoint string, port int) string {
	if endpoint == "" {
		return ""
	}
	if a, err := netip.ParseAddr(endpoint); err == nil {
		return netip.AddrPortFrom(a, uint16(port)).String()
	}
	if strings.Contains(endpoint, ":") {
		return endpoint
	}
	return fmt.Sprintf("%s:%d", endpoint, port)
}
