package templates

import (
	"crypto/sha256"
	"encoding/hex"
)

// Pod is what the four static pods have in common.
type Pod struct {
	Image   string
	Command []string
	Env     []EnvVar
	Mounts  []Mount // besides those that the template names
	Probe   Probe
}

// Etcd fills staticpod/etcd.yaml.
type Etcd struct {
	Pod
	AdvertiseClientURLs string
	DataDir             string
	CertificatesDir     string
}

func (Etcd) template() string { return "staticpod/etcd.yaml.tmpl" }

// KubeAPIServer fills staticpod/kube-apiserver.yaml.
type KubeAPIServer struct {
	Pod
	AdvertiseEndpoint string // address:port
	CertificatesDir   string
}

func (KubeAPIServer) template() string { return "staticpod/kube-apiserver.yaml.tmpl" }

// KubeControllerManager fills staticpod/kube-controller-manager.yaml.
type KubeControllerManager struct {
	Pod
	CertificatesDir string
	Kubeconfig      string // path
}

func (KubeControllerManager) template() string { return "staticpod/kube-controller-manager.yaml.tmpl" }

// KubeScheduler fills staticpod/kube-scheduler.yaml.
type KubeScheduler struct {
	Pod
	Kubeconfig string
}

func (KubeScheduler) template() string { return "staticpod/kube-scheduler.yaml.tmpl" }

// EnvVar is one environment variable. With a FieldPath its value is that field of the pod.
type EnvVar struct {
	Name  string
	Value string

	FieldPath string
}

// Mount brings a path of the host into the container. Type is as in the Pod's
// hostPath: empty means that it is not checked.
type Mount struct {
	Name      string
	HostPath  string
	MountPath string
	ReadOnly  bool
	Type      string
}

// Probe is where a component answers, and for how many seconds it may start up.
type Probe struct {
	Host           string
	Port           int
	StartupSeconds int
}

// RenderPod gives the manifest of a static pod on this node. Its UID is a hash of the
// node's name and all other bytes. The kubelet takes a static pod's UID as its config hash
// when it is set, so a mirror pod can be compared with the file by anyone, without redoing
// the kubelet's own, version-dependent hash.
func RenderPod(node string, pod File) ([]byte, error) {
	anonymous, err := render(pod, "")
	if err != nil {
		return nil, err
	}
	return render(pod, UID(node, anonymous))
}

// UID is that of a static pod with this content on this node.
func UID(node string, manifest []byte) string {
	sum := sha256.Sum256(append([]byte(node+"\x00"), manifest...))
	return hex.EncodeToString(sum[:16])
}
