package manifests

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

var (
	//go:embed coredns.yaml
	coreDNS []byte
	//go:embed kube-proxy.yaml
	kubeProxy []byte
	//go:embed network.yaml
	network []byte
)

// Addon is the objects of one addon. The settings must be there before the workload,
// which is one Deployment or DaemonSet.
type Addon struct {
	Settings [][]byte
	Editable []byte // more of them, that users change in the cluster; nil without
	Workload []byte
}

// CoreDNS fills the objects of the cluster's DNS.
type CoreDNS struct {
	Image     string
	ClusterIP string
	Corefile  string
	Replicas  int // 0 leaves their number to the API server and to whoever scales
}

// Objects gives the objects.
func (c CoreDNS) Objects() (Addon, error) {
	o, err := readObjects(coreDNS, c.Image)
	if err != nil {
		return Addon{}, err
	}
	o["ConfigMap"]["data"] = map[string]any{"Corefile": c.Corefile}
	o["Service"].in("spec")["clusterIP"] = c.ClusterIP
	if c.Replicas > 0 {
		o["Deployment"].in("spec")["replicas"] = c.Replicas
	}
	return o.encode("ConfigMap")
}

// KubeProxy fills the objects of kube-proxy.
type KubeProxy struct {
	Image  string
	Config string // a KubeProxyConfiguration that names /var/lib/kube-proxy/kubeconfig.conf
	Server string // URL of the API server
}

// Objects gives the objects.
func (p KubeProxy) Objects() (Addon, error) {
	o, err := readObjects(kubeProxy, p.Image)
	if err != nil {
		return Addon{}, err
	}
	data := o["ConfigMap"].in("data")
	kubeconfig := strings.Replace(data["kubeconfig.conf"].(string), "$(SERVER)", p.Server, 1)
	data["config.conf"], data["kubeconfig.conf"] = p.Config, kubeconfig
	o["DaemonSet"].restartWith(p.Config + kubeconfig)
	return o.encode("")
}

// Flannel fills the objects of the pod network.
type Flannel struct {
	Image    string
	NetConf  string   // flannel's own configuration
	Conflist string   // CNI configuration, with the variables of cni-install
	Args     []string // of flanneld
	Host     string   // of the API server, and its port: the network must not depend on kube-proxy
	Port     string
}

// Objects gives the objects.
func (f Flannel) Objects() (Addon, error) {
	o, err := readObjects(network, f.Image)
	if err != nil {
		return Addon{}, err
	}
	o["ConfigMap"]["data"] = map[string]any{"net-conf.json": f.NetConf, "10-bootstrap.conflist": f.Conflist}
	o["DaemonSet"].restartWith(f.NetConf + f.Conflist)
	flanneld := o["DaemonSet"].containers()[0]
	flanneld["args"] = f.Args
	flanneld["env"] = append(flanneld["env"].([]any),
		map[string]any{"name": "KUBERNETES_SERVICE_HOST", "value": f.Host},
		map[string]any{"name": "KUBERNETES_SERVICE_PORT", "value": f.Port})
	return o.encode("")
}

// object is a document of a manifest, or a part of one. The manifests belong to this
// program: what its methods look for is there, or a test fails.
type object map[string]any

// in gives the part at a path of names.
func (o object) in(path ...string) object {
	for _, name := range path {
		o = o[name].(map[string]any)
	}
	return o
}

func (o object) containers() []object {
	var all []object
	for _, c := range o.in("spec", "template", "spec")["containers"].([]any) {
		all = append(all, c.(map[string]any))
	}
	return all
}

// restartWith makes the pods new ones when their settings change, which they read only
// at their start.
func (o object) restartWith(settings string) {
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(settings)))
	o.in("spec", "template", "metadata")["annotations"] = map[string]any{SettingsHash: sum}
}

// SettingsHash is the annotation of pods that names the settings they were started with.
const SettingsHash = "bootstrap/settings-sha256"

// objects are the documents of one manifest, by kind.
type objects map[string]object

var workloads = []string{"Deployment", "DaemonSet"}

// readObjects has the pods start from an image, which is not pulled where a node has it: what
// comes out of a bundle can't be.
func readObjects(manifest []byte, image string) (objects, error) {
	all := objects{}
	for document := range bytes.SplitSeq(manifest, []byte("---\n")) {
		var o object
		if err := yaml.Unmarshal(document, &o); err != nil {
			return nil, err
		}
		kind := o["kind"].(string)
		if all[kind] = o; !slices.Contains(workloads, kind) {
			continue
		}
		for _, container := range o.containers() {
			container["image"], container["imagePullPolicy"] = image, "IfNotPresent"
		}
	}
	return all, nil
}

// encode gives the objects, sorted by kind.
func (o objects) encode(editable string) (Addon, error) {
	var a Addon
	for _, kind := range slices.Sorted(maps.Keys(o)) {
		data, err := yaml.Marshal(o[kind])
		if err != nil {
			return Addon{}, err
		}
		switch {
		case slices.Contains(workloads, kind):
			a.Workload = data
		case kind == editable:
			a.Editable = data
		default:
			a.Settings = append(a.Settings, data)
		}
	}
	return a, nil
}
