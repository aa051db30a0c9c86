package config

// The documents of a config file: the part of kubeadm.k8s.io/v1beta4 that is
// supported, under kubeadm's names. notYet lists the rest.

type initConfiguration struct {
	typeMeta         `yaml:",inline"`
	LocalAPIEndpoint struct {
		AdvertiseAddress string `yaml:"advertiseAddress"`
		BindPort         *int   `yaml:"bindPort"`
	} `yaml:"localAPIEndpoint"`
	NodeRegistration struct {
		Name             string  `yaml:"name"`
		CRISocket        string  `yaml:"criSocket"`
		Taints           []Taint `yaml:"taints"`
		KubeletExtraArgs []Arg   `yaml:"kubeletExtraArgs"`
	} `yaml:"nodeRegistration"`
	Timeouts struct {
		ControlPlaneComponentHealthCheck *duration `yaml:"controlPlaneComponentHealthCheck"`
	} `yaml:"timeouts"`
}

type clusterConfiguration struct {
	typeMeta             `yaml:",inline"`
	KubernetesVersion    string `yaml:"kubernetesVersion"`
	ClusterName          string `yaml:"clusterName"`
	ControlPlaneEndpoint string `yaml:"controlPlaneEndpoint"`
	CertificatesDir      string `yaml:"certificatesDir"`
	ImageRepository      string `yaml:"imageRepository"`
	EncryptionAlgorithm  string `yaml:"encryptionAlgorithm"`
	Networking           struct {
		ServiceSubnet string `yaml:"serviceSubnet"`
		PodSubnet     string `yaml:"podSubnet"`
		DNSDomain     string `yaml:"dnsDomain"`
	} `yaml:"networking"`
	Etcd struct {
		Local struct {
			DataDir        string   `yaml:"dataDir"`
			ExtraArgs      []Arg    `yaml:"extraArgs"`
			ServerCertSANs []string `yaml:"serverCertSANs"`
			PeerCertSANs   []string `yaml:"peerCertSANs"`
		} `yaml:"local"`
	} `yaml:"etcd"`
	APIServer struct {
		CertSANs  []string `yaml:"certSANs"`
		ExtraArgs []Arg    `yaml:"extraArgs"`
	} `yaml:"apiServer"`
	ControllerManager           argsOnly  `yaml:"controllerManager"`
	Scheduler                   argsOnly  `yaml:"scheduler"`
	CertificateValidityPeriod   *duration `yaml:"certificateValidityPeriod"`
	CACertificateValidityPeriod *duration `yaml:"caCertificateValidityPeriod"`
}

type argsOnly struct {
	ExtraArgs []Arg `yaml:"extraArgs"`
}

type typeMeta struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
}

// notYet are fields that kubeadm has and bootstrap does not support yet: an
// error says so, instead of calling them unknown.
var notYet = map[string]bool{
	"bootstrapTokens": true, "dryRun": true, "certificateKey": true, "skipPhases": true, "patches": true,
	"ignorePreflightErrors": true, "imagePullPolicy": true, "imagePullSerial": true, "kubeletHealthCheck": true,
	"kubernetesAPICall": true, "etcdAPICall": true, "tlsBootstrap": true, "discovery": true, "upgradeManifests": true,
	"external": true, "imageTag": true, "extraEnvs": true, "extraVolumes": true, "dns": true, "proxy": true,
	"featureGates": true, "imageRepository": true, // of etcd.local
}
