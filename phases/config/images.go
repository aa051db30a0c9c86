package config

// Images are the full references of what this cluster runs.
type Images struct {
	Etcd              string
	APIServer         string
	ControllerManager string
	Scheduler         string
	Pause             string
	Proxy             string
	CoreDNS           string
}

// Required are the images that the control plane cannot start without.
func (i Images) Required() []string {
	return []string{i.Pause, i.Etcd, i.APIServer, i.ControllerManager, i.Scheduler}
}

// NewImages names the images of a Kubernetes version in a repository, as kubeadm does.
func NewImages(repository, version string) Images {
	kube := func(name string) string { return repository + "/" + name + ":" + version }
	return Images{
		Etcd:              repository + "/etcd:" + etcdTag,
		APIServer:         kube("kube-apiserver"),
		ControllerManager: kube("kube-controller-manager"),
		Scheduler:         kube("kube-scheduler"),
		Pause:             repository + "/pause:" + pauseTag,
		Proxy:             kube("kube-proxy"),
		CoreDNS:           repository + "/coredns/coredns:" + coreDNSTag,
	}
}

// What Kubernetes 1.36 is released and tested with.
const (
	DefaultVersion         = "v1.36.3"
	DefaultImageRepository = "registry.k8s.io"

	etcdTag    = "3.6.8-0"
	coreDNSTag = "v1.14.2"
	pauseTag   = "3.10.2"
)
