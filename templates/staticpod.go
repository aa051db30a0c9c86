package templates

import (
	"crypto/sha256"
	"encoding/hex"
)

// Pod is what the four static pods have in common.
type Pod struct {
	UID     string // set by Render
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

// KubeAPIServer fills staticpod/kube-apiserver.yaml.
type KubeAPIServer struct {
	Pod
	AdvertiseEndpoint string // address:port
	CertificatesDir   string
}

// KubeControllerManager fills staticpod/kube-controller-manager.yaml.
type KubeControllerManager struct {
	Pod
	CertificatesDir string
	Kubeconfig      string // path
}

// KubeScheduler fills staticpod/kube-scheduler.yaml.
type KubeScheduler struct {
	Pod
	Kubeconfig string
}

// EnvVar is one environment variable.
type EnvVar struct {
	Name  string
	Value string
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

// Render gives the manifest.
func (p Etcd) Render(node string) ([]byte, error) {
	return withUID(node, func(uid string) ([]byte, error) {
		p.UID = uid
		return render("staticpod/etcd.yaml.tmpl", p)
	})
}

// Render gives the manifest.
func (p KubeAPIServer) Render(node string) ([]byte, error) {
	return withUID(node, func(uid string) ([]byte, error) {
		p.UID = uid
		return render("staticpod/kube-apiserver.yaml.tmpl", p)
	})
}

// Render gives the manifest.
func (p KubeControllerManager) Render(node string) ([]byte, error) {
	return withUID(node, func(uid string) ([]byte, error) {
		p.UID = uid
		return render("staticpod/kube-controller-manager.yaml.tmpl", p)
	})
}

// Render gives the manifest.
func (p KubeScheduler) Render(node string) ([]byte, error) {
	return withUID(node, func(uid string) ([]byte, error) {
		p.UID = uid
		return render("staticpod/kube-scheduler.yaml.tmpl", p)
	})
}

// withUID renders twice: the UID is a hash of the node's name and all other
// bytes. The kubelet takes a static pod's UID as its config hash when it is set,
// so a mirror pod can be compared with the file by anyone, without redoing the
// kubelet's own, version-dependent hash.
func withUID(node string, render func(uid string) ([]byte, error)) ([]byte, error) {
	anonymous, err := render("")
	if err != nil {
		return nil, err
	}
	return render(UID(node, anonymous))
}

// UID is that of a static pod with this content on this node.
func UID(node string, manifest []byte) string {
	sum := sha256.Sum256(append([]byte(node+"\x00"), manifest...))
	return hex.EncodeToString(sum[:16])
}
