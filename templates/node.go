package templates

import "strings"

// ContainerdService fills containerd.service.
type ContainerdService struct {
	Containerd string // path of the program
	Config     string // path of its config.toml

	Folders []string // that it writes to
	NoProxy string   // empty: as all units have it
}

func (ContainerdService) template() string { return "systemd/containerd.service.tmpl" }

// KubeletService fills kubelet.service.
type KubeletService struct {
	Kubelet string // path of the program
}

func (KubeletService) template() string { return "systemd/kubelet.service.tmpl" }

// KubeletDropIn fills kubelet.service.d/90-bootstrap.conf.
type KubeletDropIn struct {
	Kubelet string
	Args    []string // --name=value
	Folders []string // that it and its static pods write to
	NoProxy string   // empty: as all units have it
}

func (KubeletDropIn) template() string { return "systemd/90-bootstrap.conf.tmpl" }

// ContainerdConfig fills containerd's config.toml.
type ContainerdConfig struct {
	SandboxImage        string
	RegistryConfig      string   // folder
	CNIPlugins          []string // folders
	CNIConfig           string   // folder
	Runc                string   // path of the program
	RestrictOOMScoreAdj bool     // where the machine does not let anyone lower an OOM score
}

func (ContainerdConfig) template() string { return "containerd-config.toml.tmpl" }

// KubeletConfig fills the kubelet's config.yaml.
type KubeletConfig struct {
	StaticPodPath   string
	RuntimeEndpoint string // unix:///...
	Standalone      bool   // nobody is let in, as there is no API server to ask; the next three are empty
	ClusterDNS      string
	ClusterDomain   string
	ClientCA        string
	Loopback        string
	ResolvConf      string // empty: pods get no resolver from the host
	FailSwapOn      bool
	FailCgroupV1    bool
	// Where the machine does not let anyone lower an OOM score, the kubelet would try
	// three times, for 200 ms, before it goes on.
	RestrictOOMScoreAdj bool
	FeatureGates        []string // switched on, sorted
}

func (KubeletConfig) template() string { return "kubelet-config.yaml.tmpl" }

// InstanceConfig fills instance-config.yaml, the part of a KubeletConfiguration that
// kubeadm keeps for each node.
type InstanceConfig struct {
	RuntimeEndpoint string // unix:///...
}

func (InstanceConfig) template() string { return "instance-config.yaml.tmpl" }

// BridgeNetwork fills the CNI configuration of the bridge network. Instead of values
// of this node it can be given variables, for a text that is completed elsewhere.
type BridgeNetwork struct {
	Bridge  string   // name of the link
	Subnets []string // this node's pod ranges, one per IP family
	MTU     string   // of the pods' links, a number
	Masq    bool     // what pods send out of the node has the node's address
}

func (BridgeNetwork) template() string { return "10-bootstrap.conflist.tmpl" }

// unitquote quotes a word of a systemd command line, where '%' begins a
// specifier and '$' a variable.
func unitquote(s string) (string, error) {
	q, err := quote(s)
	return strings.NewReplacer("%", "%%", "$", "$$").Replace(q), err
}

// envquote quotes a setting of Environment=, where a variable has no meaning.
func envquote(s string) (string, error) {
	q, err := quote(s)
	return strings.ReplaceAll(q, "%", "%%"), err
}

// SnapshotService fills bootstrap-snapshot.service.
type SnapshotService struct {
	Program string
	Every   string   // a duration, as Go writes it
	Args    []string // --name=value
}

func (SnapshotService) template() string { return "systemd/bootstrap-snapshot.service.tmpl" }

// SnapshotTimer fills bootstrap-snapshot.timer.
type SnapshotTimer struct {
	Every string // as systemd reads it
}

func (SnapshotTimer) template() string { return "systemd/bootstrap-snapshot.timer.tmpl" }
