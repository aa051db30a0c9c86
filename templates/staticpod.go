package templates

import (
	"crypto/sha256"
	"encoding/hex"
)

// Etcd fills staticpod/etcd.yaml.
type Etcd struct {
	UID                 string // set by WithUID
	Image               string
	AdvertiseClientURLs string
	Command             []string
	DataDir             string
	CertificatesDir     string
	Probe               Probe
}

// KubeAPIServer fills staticpod/kube-apiserver.yaml.
type KubeAPIServer struct {
	UID               string
	Image             string
	AdvertiseEndpoint string // address:port
	Command           []string
	CertificatesDir   string
	Mounts            []Mount // CA folders of the host
	Probe             Probe
}

// KubeControllerManager fills staticpod/kube-controller-manager.yaml.
type KubeControllerManager struct {
	UID             string
	Image           string
	Command         []string
	CertificatesDir string
	Kubeconfig      string // path
	Mounts          []Mount
	Probe           Probe
}

// KubeScheduler fills staticpod/kube-scheduler.yaml.
type KubeScheduler struct {
	UID        string
	Image      string
	Command    []string
	Kubeconfig string
	Probe      Probe
}

// Probe is where a component answers, and for how many seconds it may start up.
type Probe struct {
	Host           string
	Port           int
	StartupSeconds int
}

// Mount is a folder of the host, mounted read-only at the same path.
type Mount struct {
	Name string
	Path string
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
	sum := sha256.Sum256(append([]byte(node+"\x00"), anonymous...))
	return render(hex.EncodeToString(sum[:16]))
}
