package spec

// PluginDirs are where distributions put CNI plugins. Our own come first.
var PluginDirs = []string{CNIPluginDir, "/usr/lib/cni", "/usr/libexec/cni"}

// Programs of a bundle, by who needs them.
var (
	RuntimePrograms = []string{"containerd", "containerd-shim-runc-v2", "ctr", "runc"}
	Tools           = []string{"kubectl", "etcdctl", "etcdutl"} // for people
)

// Where things lie on the host. reset removes nothing by these names: it goes by
// the ledger.
const (
	KubernetesDir    = "/etc/kubernetes"
	StaticPodDir     = "/etc/kubernetes/manifests"
	AdminConf        = "/etc/kubernetes/admin.conf"
	SuperAdminConf   = "/etc/kubernetes/super-admin.conf"
	KubeletConf      = "/etc/kubernetes/kubelet.conf"
	ControllerConf   = "/etc/kubernetes/controller-manager.conf"
	SchedulerConf    = "/etc/kubernetes/scheduler.conf"
	KubeletDir       = "/var/lib/kubelet"
	KubeletConfig    = "/var/lib/kubelet/config.yaml"
	InstanceConfig   = "/var/lib/kubelet/instance-config.yaml"
	SystemdDir       = "/etc/systemd/system"
	KubeletService   = "kubelet.service"
	KubeletUnitFile  = "/etc/systemd/system/kubelet.service"
	KubeletDropIn    = "/etc/systemd/system/kubelet.service.d/90-bootstrap.conf" // after the packages' 10-kubeadm.conf
	BinDir           = "/usr/local/bin"
	CNIPluginDir     = "/opt/cni/bin"
	CNIConfigDir     = "/etc/cni/net.d"
	NetworkFile      = "/etc/cni/net.d/10-bootstrap.conflist"
	ContainerdUnit   = "/etc/systemd/system/containerd.service"
	ContainerdConfig = "/etc/containerd/config.toml"
	ContainerdDir    = "/var/lib/containerd"
	ContainerdSocket = "/run/containerd/containerd.sock"
	PodLogDir        = "/var/log/pods"

	// SnapshotDir holds the user's snapshots: reset leaves them.
	SnapshotDir     = "/var/lib/bootstrap-snapshots"
	SnapshotLast    = SnapshotDir + "/last.json" // how the last run of the schedule ended
	SnapshotService = "bootstrap-snapshot.service"
	SnapshotTimer   = "bootstrap-snapshot.timer"
	SnapshotProgram = "/usr/local/lib/bootstrap/bootstrap"
	SnapshotBucket  = "/etc/bootstrap/s3.yaml"
)
