package phases

// Where things lie on the host. reset removes nothing by these names: it goes by
// the ledger.
const (
	kubernetesDir    = "/etc/kubernetes"
	staticPodDir     = "/etc/kubernetes/manifests"
	adminConf        = "/etc/kubernetes/admin.conf"
	superAdminConf   = "/etc/kubernetes/super-admin.conf"
	kubeletConf      = "/etc/kubernetes/kubelet.conf"
	controllerConf   = "/etc/kubernetes/controller-manager.conf"
	schedulerConf    = "/etc/kubernetes/scheduler.conf"
	kubeletDir       = "/var/lib/kubelet"
	kubeletConfig    = "/var/lib/kubelet/config.yaml"
	instanceConfig   = "/var/lib/kubelet/instance-config.yaml"
	systemdDir       = "/etc/systemd/system"
	kubeletService   = "kubelet.service"
	kubeletUnitFile  = "/etc/systemd/system/kubelet.service"
	kubeletDropIn    = "/etc/systemd/system/kubelet.service.d/90-bootstrap.conf" // after the packages' 10-kubeadm.conf
	binDir           = "/usr/local/bin"
	cniPluginDir     = "/opt/cni/bin"
	cniConfigDir     = "/etc/cni/net.d"
	networkFile      = "/etc/cni/net.d/10-bootstrap.conflist"
	containerdUnit   = "/etc/systemd/system/containerd.service"
	containerdConfig = "/etc/containerd/config.toml"
	containerdDir    = "/var/lib/containerd"
	containerdSocket = "/run/containerd/containerd.sock"
	podLogDir        = "/var/log/pods"
)
