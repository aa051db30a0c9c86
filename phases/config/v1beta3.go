package config

import (
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
)

// kubeadm.k8s.io/v1beta3 is what kubeadm read before v1beta4: flags are a mapping, and
// the fields that came later are unknown.

type initConfigurationV1beta3 struct {
	typeMeta         `yaml:",inline"`
	BootstrapTokens  []bootstrapToken `yaml:"bootstrapTokens"`
	LocalAPIEndpoint apiEndpoint      `yaml:"localAPIEndpoint"`
	NodeRegistration struct {
		Name                  string   `yaml:"name"`
		CRISocket             string   `yaml:"criSocket"`
		Taints                *[]Taint `yaml:"taints"`
		KubeletExtraArgs      argMap   `yaml:"kubeletExtraArgs"`
		IgnorePreflightErrors []string `yaml:"ignorePreflightErrors"`
		ImagePullPolicy       string   `yaml:"imagePullPolicy"`
	} `yaml:"nodeRegistration"`
	CertificateKey string   `yaml:"certificateKey"`
	SkipPhases     []string `yaml:"skipPhases"`
	Patches        patches  `yaml:"patches"`
}

type clusterConfigurationV1beta3 struct {
	typeMeta             `yaml:",inline"`
	KubernetesVersion    string          `yaml:"kubernetesVersion"`
	ClusterName          string          `yaml:"clusterName"`
	ControlPlaneEndpoint string          `yaml:"controlPlaneEndpoint"`
	CertificatesDir      string          `yaml:"certificatesDir"`
	ImageRepository      string          `yaml:"imageRepository"`
	FeatureGates         map[string]bool `yaml:"featureGates"`
	Networking           networkingFile  `yaml:"networking"`
	Etcd                 struct {
		Local    *localEtcdV1beta3 `yaml:"local"`
		External *struct {
			Endpoints []string `yaml:"endpoints"`
			CAFile    string   `yaml:"caFile"`
			CertFile  string   `yaml:"certFile"`
			KeyFile   string   `yaml:"keyFile"`
		} `yaml:"external"`
	} `yaml:"etcd"`
	APIServer struct {
		componentV1beta3       `yaml:",inline"`
		CertSANs               []string  `yaml:"certSANs"`
		TimeoutForControlPlane *duration `yaml:"timeoutForControlPlane"`
	} `yaml:"apiServer"`
	ControllerManager componentV1beta3 `yaml:"controllerManager"`
	Scheduler         componentV1beta3 `yaml:"scheduler"`
	DNS               imageMeta        `yaml:"dns"`
}

type localEtcdV1beta3 struct {
	imageMeta      `yaml:",inline"`
	DataDir        string   `yaml:"dataDir"`
	ExtraArgs      argMap   `yaml:"extraArgs"`
	ServerCertSANs []string `yaml:"serverCertSANs"`
	PeerCertSANs   []string `yaml:"peerCertSANs"`
}

type componentV1beta3 struct {
	ExtraArgs    argMap   `yaml:"extraArgs"`
	ExtraVolumes []Volume `yaml:"extraVolumes"`
}

// argMap are flags written as a mapping. They come sorted by name; child finds their lines.
type argMap []Arg

func (a *argMap) UnmarshalYAML(n *yaml.Node) error {
	var flags map[string]string
	if err := n.Decode(&flags); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		*a = append(*a, Arg{name, flags[name]})
	}
	return nil
}

func (part document) initV1beta3() (initConfiguration, error) {
	var old initConfigurationV1beta3
	err := part.strict(&old)
	reg := old.NodeRegistration
	return initConfiguration{
		typeMeta:         typeMeta{kubeadmV1beta4, initKind},
		BootstrapTokens:  old.BootstrapTokens,
		LocalAPIEndpoint: old.LocalAPIEndpoint,
		NodeRegistration: nodeRegistrationFile{
			Name:                  reg.Name,
			CRISocket:             reg.CRISocket,
			Taints:                reg.Taints,
			KubeletExtraArgs:      reg.KubeletExtraArgs,
			IgnorePreflightErrors: reg.IgnorePreflightErrors,
			ImagePullPolicy:       reg.ImagePullPolicy,
		},
		CertificateKey: old.CertificateKey,
		SkipPhases:     old.SkipPhases,
		Patches:        old.Patches,
	}, err
}

// clusterV1beta3 gives the timeout as well, which v1beta4 has in InitConfiguration.
func (part document) clusterV1beta3() (clusterConfiguration, *duration, error) {
	var old clusterConfigurationV1beta3
	err := part.strict(&old)
	cl := clusterConfiguration{
		typeMeta:             typeMeta{kubeadmV1beta4, clusterKind},
		KubernetesVersion:    old.KubernetesVersion,
		ClusterName:          old.ClusterName,
		ControlPlaneEndpoint: old.ControlPlaneEndpoint,
		CertificatesDir:      old.CertificatesDir,
		ImageRepository:      old.ImageRepository,
		FeatureGates:         old.FeatureGates,
		Networking:           old.Networking,
		APIServer:            apiServer{old.APIServer.converted(), old.APIServer.CertSANs},
		ControllerManager:    old.ControllerManager.converted(),
		Scheduler:            old.Scheduler.converted(),
		DNS:                  dns{imageMeta: old.DNS},
	}
	if e := old.Etcd.External; e != nil {
		cl.Etcd.External = &ExternalEtcd{Endpoints: e.Endpoints, CAFile: e.CAFile, CertFile: e.CertFile, KeyFile: e.KeyFile}
	}
	if l := old.Etcd.Local; l != nil {
		cl.Etcd.Local = &localEtcd{l.imageMeta, Etcd{
			DataDir: l.DataDir, ExtraArgs: l.ExtraArgs, ServerCertSANs: l.ServerCertSANs, PeerCertSANs: l.PeerCertSANs,
		}}
	}
	return cl, old.APIServer.TimeoutForControlPlane, err
}

func (c componentV1beta3) converted() Component {
	return Component{ExtraArgs: c.ExtraArgs, ExtraVolumes: c.ExtraVolumes}
}

const (
	healthCheckField = "timeouts.controlPlaneComponentHealthCheck"
	oldTimeoutField  = "apiServer.timeoutForControlPlane"
)

// moveTimeout puts v1beta3's timeout where v1beta4 has it. Findings about it name the old field.
func (d *documents) moveTimeout() error {
	if d.oldTimeout == nil {
		return nil
	}
	if d.init.Timeouts.ControlPlaneComponentHealthCheck != nil {
		return fmt.Errorf("line %d: %s is given as well, as %s", d.line(oldTimeoutField), oldTimeoutField, healthCheckField)
	}
	d.init.Timeouts.ControlPlaneComponentHealthCheck = d.oldTimeout
	return nil
}
