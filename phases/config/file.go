package config

import "time"

// The documents of a config file, under kubeadm's names (v1beta4) and ours. They are
// also written: what is empty stays out. kubeadm's older v1beta3 is read as v1beta4, which
// takes here what was written differently then: see Args and moveTimeout.

const (
	kubeadmV1beta4   = "kubeadm.k8s.io/v1beta4"
	kubeadmV1beta3   = "kubeadm.k8s.io/v1beta3"
	boxVersion       = "bootstrap/v1alpha1"
	kubeletVersion   = "kubelet.config.k8s.io/v1beta1"
	kubeProxyVersion = "kubeproxy.config.k8s.io/v1alpha1"
)

type typeMeta struct {
	APIVersion string `yaml:"apiVersion,omitempty"`
	Kind       string `yaml:"kind,omitempty"`
}

type initConfiguration struct {
	typeMeta         `yaml:",inline"`
	Metadata         any                  `yaml:"metadata,omitempty"` // of nobody: see passOver
	BootstrapTokens  []bootstrapToken     `yaml:"bootstrapTokens,omitempty"`
	DryRun           bool                 `yaml:"dryRun,omitempty"`
	LocalAPIEndpoint apiEndpoint          `yaml:"localAPIEndpoint,omitempty"`
	NodeRegistration nodeRegistrationFile `yaml:"nodeRegistration,omitempty"`
	CertificateKey   string               `yaml:"certificateKey,omitempty"`
	SkipPhases       []string             `yaml:"skipPhases,omitempty"`
	Patches          patches              `yaml:"patches,omitempty"`
	Timeouts         timeouts             `yaml:"timeouts,omitempty"`
}

type bootstrapToken struct {
	Token       string         `yaml:"token,omitempty"`
	Description string         `yaml:"description,omitempty"`
	TTL         *time.Duration `yaml:"ttl,omitempty"`
	Expires     string         `yaml:"expires,omitempty"`
	Usages      []string       `yaml:"usages,omitempty"`
	Groups      []string       `yaml:"groups,omitempty"`
}

type apiEndpoint struct {
	AdvertiseAddress string `yaml:"advertiseAddress,omitempty"`
	BindPort         *int   `yaml:"bindPort,omitempty"`
}

type nodeRegistrationFile struct {
	Name                  string   `yaml:"name,omitempty"`
	CRISocket             string   `yaml:"criSocket,omitempty"`
	Taints                *[]Taint `yaml:"taints,omitempty"` // an empty list is not the same as none
	KubeletExtraArgs      Args     `yaml:"kubeletExtraArgs,omitempty"`
	IgnorePreflightErrors []string `yaml:"ignorePreflightErrors,omitempty"`
	ImagePullPolicy       string   `yaml:"imagePullPolicy,omitempty"`
	ImagePullSerial       *bool    `yaml:"imagePullSerial,omitempty"`
}

type patches struct {
	Directory string `yaml:"directory,omitempty"`
}

type timeouts struct {
	ControlPlaneComponentHealthCheck *time.Duration `yaml:"controlPlaneComponentHealthCheck,omitempty"`
	KubeletHealthCheck               *time.Duration `yaml:"kubeletHealthCheck,omitempty"`
	KubernetesAPICall                *time.Duration `yaml:"kubernetesAPICall,omitempty"`
	EtcdAPICall                      *time.Duration `yaml:"etcdAPICall,omitempty"`
	TLSBootstrap                     *time.Duration `yaml:"tlsBootstrap,omitempty"`
	Discovery                        *time.Duration `yaml:"discovery,omitempty"`
	UpgradeManifests                 *time.Duration `yaml:"upgradeManifests,omitempty"`
}

type clusterConfiguration struct {
	typeMeta                    `yaml:",inline"`
	Metadata                    any             `yaml:"metadata,omitempty"`
	UseHyperKubeImage           any             `yaml:"useHyperKubeImage,omitempty"` // of v1beta2
	KubernetesVersion           string          `yaml:"kubernetesVersion,omitempty"`
	ClusterName                 string          `yaml:"clusterName,omitempty"`
	ControlPlaneEndpoint        string          `yaml:"controlPlaneEndpoint,omitempty"`
	CertificatesDir             string          `yaml:"certificatesDir,omitempty"`
	ImageRepository             string          `yaml:"imageRepository,omitempty"`
	EncryptionAlgorithm         string          `yaml:"encryptionAlgorithm,omitempty"`
	CertificateValidityPeriod   *time.Duration  `yaml:"certificateValidityPeriod,omitempty"`
	CACertificateValidityPeriod *time.Duration  `yaml:"caCertificateValidityPeriod,omitempty"`
	FeatureGates                map[string]bool `yaml:"featureGates,omitempty"`
	Networking                  networkingFile  `yaml:"networking"`
	Etcd                        etcdFile        `yaml:"etcd"`
	APIServer                   apiServer       `yaml:"apiServer"`
	ControllerManager           Component       `yaml:"controllerManager"`
	Scheduler                   Component       `yaml:"scheduler"`
	DNS                         dns             `yaml:"dns"`
	Proxy                       proxy           `yaml:"proxy"`
}

type networkingFile struct {
	ServiceSubnet string `yaml:"serviceSubnet,omitempty"`
	PodSubnet     string `yaml:"podSubnet,omitempty"`
	DNSDomain     string `yaml:"dnsDomain,omitempty"`
}

type etcdFile struct {
	Local    *localEtcd    `yaml:"local,omitempty"`
	External *ExternalEtcd `yaml:"external,omitempty"`
}

type localEtcd struct {
	imageMeta `yaml:",inline"`
	Etcd      `yaml:",inline"`
}

type imageMeta struct {
	ImageRepository string `yaml:"imageRepository,omitempty"`
	ImageTag        string `yaml:"imageTag,omitempty"`
}

type apiServer struct {
	Component              `yaml:",inline"`
	CertSANs               []string       `yaml:"certSANs,omitempty"`
	TimeoutForControlPlane *time.Duration `yaml:"timeoutForControlPlane,omitempty"` // of v1beta3
}

type dns struct {
	imageMeta `yaml:",inline"`
	Type      any  `yaml:"type,omitempty"` // of v1beta2
	Disabled  bool `yaml:"disabled,omitempty"`
}

type proxy struct {
	Disabled bool `yaml:"disabled,omitempty"`
}

// boxConfiguration is ours: what kubeadm has no word for.
type boxConfiguration struct {
	typeMeta `yaml:",inline"`
	Metadata any `yaml:"metadata,omitempty"`
	Flags    `yaml:",inline"`
	Network  string `yaml:"network,omitempty"`
}
