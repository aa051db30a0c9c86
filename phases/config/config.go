// Package config turns a config file and the facts of this machine into one
// complete, valid Config that is never changed afterwards. It is pure: it reads
// no file, asks no clock and touches no network.
package config

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Config is everything that decides what bootstrap makes. Addresses, ports, image names
// and the DNS address are computed here, once.
type Config struct {
	Cluster
	Node
	Run
	// Warnings are what was passed over, or taken for something else, each with file and line.
	// They are told, and not kept.
	Warnings []string `json:",omitempty"`
}

// Cluster is what all nodes of a cluster share.
type Cluster struct {
	KubernetesVersion    string // with the v: v1.36.3
	ClusterName          string
	ControlPlaneEndpoint string // host:port that kubeconfigs of people use
	Networking           Networking
	CertificatesDir      string
	CertSANs             []string
	KeyAlgorithm         string // ECDSA-P256, ECDSA-P384, RSA-2048, RSA-3072, RSA-4096
	CertificateValidity  time.Duration
	CAValidity           time.Duration
	Etcd                 Etcd
	APIServer            Component
	ControllerManager    Component
	Scheduler            Component
	Images               Images
	DNSDisabled          bool
	ProxyDisabled        bool
	Kubelet              map[string]any // the user's KubeletConfiguration, nil without
	KubeProxy            map[string]any // the user's KubeProxyConfiguration, nil without
	Box                  Box
}

// Node is what is this node's own.
type Node struct {
	NodeName            string
	AdvertiseAddress    netip.Addr
	BindPort            int
	CRISocket           string // unix:///...; empty: chosen from what the machine has
	Taints              []Taint
	KubeletExtraArgs    []Arg
	ImagePullPolicy     string // Always, IfNotPresent, Never
	ImagePullSerial     bool
	ControlPlaneTimeout time.Duration // how long the control plane may take to start, in probes and waits
	APICallTimeout      time.Duration // how long a call to the API server is tried again
	PatchesDir          string
	SkipPhases          []string // as given: the plan knows the names
	IgnorePreflight     []string // as given: preflight knows the names
}

// Run is what init does once: a later run does it again only if it is asked to.
type Run struct {
	BootstrapTokens  []BootstrapToken
	CertificateKey   string // 64 hex digits that encrypt kubeadm-certs; empty without
	UploadCerts      bool
	WriteKubeconfig  bool
	PrintJoinCommand bool
}

// The pod networks of Box.Network.
const (
	Flannel   = "flannel"
	NoNetwork = "none"
)

// Box is what kubeadm has no word for, from BoxConfiguration.
type Box struct {
	Standalone bool   // runtime and kubelet only, without an API server
	SingleNode bool   // the control plane runs everybody's pods
	Network    string // the pod network that init brings: flannel or none
}

// BootstrapToken lets nodes join. TTL counts from its making; with neither TTL nor
// Expires it is for ever. Without an ID its value is made up when it is made.
type BootstrapToken struct {
	ID          string
	Secret      string
	Description string
	TTL         time.Duration
	Expires     time.Time
	Usages      []string
	Groups      []string
}

// String leaves out the secret.
func (t BootstrapToken) String() string { return cmp.Or(t.ID, "??????") + ".****************" }

// GoString leaves out the secret as well, for %#v.
func (t BootstrapToken) GoString() string { return t.String() }

// Networking holds the cluster's address ranges; one of each, or one per IP family.
type Networking struct {
	ServiceSubnets []netip.Prefix
	PodSubnets     []netip.Prefix
	DNSDomain      string
}

// Etcd configures the stacked etcd member, or names the external one.
type Etcd struct {
	DataDir        string        `yaml:"dataDir,omitempty"`
	ExtraArgs      Args          `yaml:"extraArgs,omitempty"`
	ExtraEnvs      []EnvVar      `yaml:"extraEnvs,omitempty"`
	ServerCertSANs []string      `yaml:"serverCertSANs,omitempty"`
	PeerCertSANs   []string      `yaml:"peerCertSANs,omitempty"`
	External       *ExternalEtcd `yaml:"-"` // nil: the member on this node
}

// ExternalEtcd is a cluster of etcd that others run. HTTPEndpoints serve its version
// and health where the endpoints speak only gRPC.
type ExternalEtcd struct {
	Endpoints     []string `yaml:"endpoints,omitempty"`
	HTTPEndpoints []string `yaml:"httpEndpoints,omitempty"`
	CAFile        string   `yaml:"caFile"`
	CertFile      string   `yaml:"certFile"`
	KeyFile       string   `yaml:"keyFile"`
}

// Component configures one control plane component.
type Component struct {
	ExtraArgs    Args     `yaml:"extraArgs,omitempty"`
	ExtraEnvs    []EnvVar `yaml:"extraEnvs,omitempty"`
	ExtraVolumes []Volume `yaml:"extraVolumes,omitempty"`
}

// Arg is one command line flag without its dashes.
type Arg struct {
	Name  string `yaml:"name"`
	Value string `yaml:"value"`
}

// Args are the flags of a component, in the order that they are given in.
type Args []Arg

// UnmarshalYAML takes the mapping of kubeadm's v1beta3 as well. It is sorted by name then, so
// that locate.Line finds a flag by its index. As the programs do, it takes an underscore for a dash.
func (a *Args) UnmarshalYAML(unmarshal func(any) error) error {
	err := unmarshal((*[]Arg)(a))
	if err != nil && strings.HasSuffix(err.Error(), "cannot unmarshal !!map into []config.Arg") {
		var flags map[string]string
		err = unmarshal(&flags)
		for _, name := range slices.Sorted(maps.Keys(flags)) {
			*a = append(*a, Arg{name, flags[name]})
		}
	}
	for i := range *a {
		(*a)[i].Name = strings.ReplaceAll((*a)[i].Name, "_", "-")
	}
	return err
}

// Argument is the value of a flag, the last one of that name; empty without.
func Argument(args []Arg, name string) string {
	for _, a := range slices.Backward(args) {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// EnvVar is set in a component's container.
type EnvVar struct {
	Name      string      `yaml:"name"`
	Value     Text        `yaml:"value"`
	ValueFrom *EnvVarFrom `yaml:"valueFrom,omitempty" json:",omitempty"`
}

// EnvVarFrom is where a value comes from: only fields of the pod, as a static pod can't refer
// to objects of the API.
type EnvVarFrom struct {
	FieldRef FieldRef `yaml:"fieldRef"`
}

// FieldRef is a field of the pod, such as status.podIP.
type FieldRef struct {
	APIVersion string `yaml:"apiVersion,omitempty"`
	FieldPath  string `yaml:"fieldPath"`
}

// Volume is a path of the host that a component sees. PathType is as in a Pod's
// hostPath volume, empty without.
type Volume struct {
	Name      string `yaml:"name"`
	HostPath  string `yaml:"hostPath"`
	MountPath string `yaml:"mountPath"`
	ReadOnly  bool   `yaml:"readOnly,omitempty"`
	PathType  string `yaml:"pathType,omitempty"`
}

// Taint is put on the Node: key[=value]:effect.
type Taint struct {
	Key    string `yaml:"key"`
	Value  string `yaml:"value,omitempty"`
	Effect string `yaml:"effect"`
}

// String is the taint as the kubelet's flag has it.
func (t Taint) String() string { return fmt.Sprintf("%s=%s:%s", t.Key, t.Value, t.Effect) }

// APIServerURL is this node's own API server, whatever the endpoint for others is.
func (n *Node) APIServerURL() string {
	return fmt.Sprintf("https://%s", netip.AddrPortFrom(n.AdvertiseAddress, uint16(n.BindPort)))
}

// EndpointURL is where people reach the API server.
func (c *Config) EndpointURL() string {
	if c.ControlPlaneEndpoint == "" {
		return c.APIServerURL()
	}
	return "https://" + c.ControlPlaneEndpoint
}

// EndpointHost is the host of ControlPlaneEndpoint, empty without one.
func (c *Cluster) EndpointHost() string {
	host, _, _ := net.SplitHostPort(c.ControlPlaneEndpoint)
	return host
}

// KubernetesServiceIP is the first address of the first Service range.
func (c *Cluster) KubernetesServiceIP() netip.Addr {
	return nth(c.Networking.ServiceSubnets[0], 1)
}

// DNSServiceIP is the tenth address of the first Service range, as kubeadm has it.
func (c *Cluster) DNSServiceIP() netip.Addr {
	return nth(c.Networking.ServiceSubnets[0], 10)
}

// Loopback is the loopback address of the node's IP family.
func (n *Node) Loopback() netip.Addr {
	if n.AdvertiseAddress.Is6() {
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// NodePodSubnets are the pod ranges of the first node: what the controller
// manager's allocator hands out first from each pod range.
func (c *Cluster) NodePodSubnets() []netip.Prefix {
	subnets := make([]netip.Prefix, 0, len(c.Networking.PodSubnets))
	for _, p := range c.Networking.PodSubnets {
		first, _ := c.firstNodeRange(p)
		subnets = append(subnets, first)
	}
	return subnets
}

// firstNodeRange is the first part of a pod range that a node can get: none of a Service range.
func (c *Cluster) firstNodeRange(pods netip.Prefix) (first netip.Prefix, found bool) {
	start := netip.PrefixFrom(pods.Addr(), max(pods.Bits(), c.nodeBits(pods)))
	for first = start; pods.Contains(first.Addr()); first = netip.PrefixFrom(last(first).Next(), first.Bits()) {
		if !slices.ContainsFunc(c.Networking.ServiceSubnets, first.Overlaps) {
			return first, true
		}
	}
	return start, false
}

// last is the last address of a range.
func last(p netip.Prefix) netip.Addr {
	bytes := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	a, _ := netip.AddrFromSlice(bytes) // as long as it was
	return a
}

func nth(p netip.Prefix, n int) netip.Addr {
	a := p.Masked().Addr()
	for range n {
		a = a.Next()
	}
	return a
}
