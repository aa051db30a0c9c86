package config

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
	proxyv1alpha1 "k8s.io/kube-proxy/config/v1alpha1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"

	"bootstrap/phases/locate"
)

// The kinds of documents that init reads.
const (
	initKind      = "InitConfiguration"
	clusterKind   = "ClusterConfiguration"
	boxKind       = "BoxConfiguration"
	kubeletKind   = "KubeletConfiguration"
	kubeProxyKind = "KubeProxyConfiguration"
)

// documents is a config file, read but not yet checked.
type documents struct {
	name       string
	init       initConfiguration
	cluster    clusterConfiguration
	box        boxConfiguration
	kubelet    map[string]any // nil without
	kubeProxy  map[string]any
	oldTimeout bool                  // the file has the timeout of the control plane as v1beta3 had it
	roots      map[string]*yaml.Node // by kind, to tell the line of a field
	order      []string              // kinds, as they stand in the file
}

// read decodes every document of a file strictly. What could be read is returned
// also with an error, so that it can be checked as well. name is for messages.
func read(name string, data []byte) (documents, []error) {
	d := documents{name: name, roots: map[string]*yaml.Node{}}
	var errs []error
	for _, text := range Documents(data) {
		root, next, err := locate.Root(text)
		switch {
		case err != nil:
		case next != nil:
			err = fmt.Errorf("line %d: another document begins here: put '---' on a line of its own before it", next.Line)
		case root != nil:
			err = d.add(root, text)
		}
		errs = append(errs, locate.Errors(name, err, list("fields/schema.txt"))...)
	}
	d.moveTimeout()
	return d, errs
}

// moveTimeout puts v1beta3's timeout where v1beta4 has it, unless one is there.
func (d *documents) moveTimeout() {
	old, timeout := &d.cluster.APIServer.TimeoutForControlPlane, &d.init.Timeouts.ControlPlaneComponentHealthCheck
	if *old != nil && *timeout == nil {
		*timeout, d.oldTimeout = *old, true
	}
	*old = nil
}

func (d *documents) add(root *yaml.Node, text []byte) error {
	kind := locate.Text(root, "kind")
	if first := d.roots[kind]; first != nil {
		return fmt.Errorf("line %d: a second %s, the first is at line %d", root.Line, kind, first.Line)
	}
	d.roots[kind] = root
	d.order = append(d.order, kind)
	return d.decode(root, text)
}

// decode reads a document of a kind that init takes. kubeadm's older v1beta3 is read as v1beta4.
func (d *documents) decode(root *yaml.Node, text []byte) (err error) {
	version, kind := locate.Text(root, "apiVersion"), locate.Text(root, "kind")
	wanted, known := map[string]string{
		initKind: kubeadmV1beta4, clusterKind: kubeadmV1beta4, boxKind: boxVersion, kubeletKind: kubeletVersion, kubeProxyKind: kubeProxyVersion,
	}[kind]
	switch {
	case !known:
		return fmt.Errorf("line %d: init does not read kind %q, only %s, %s, %s, %s and %s", root.Line, kind, initKind, clusterKind, boxKind, kubeletKind, kubeProxyKind)
	case version != wanted && (wanted != kubeadmV1beta4 || version != kubeadmV1beta3):
		return fmt.Errorf("line %d: apiVersion %q is not supported for %s, want %s", root.Line, version, kind, wanted)
	}
	switch kind {
	case initKind:
		return strict(text, &d.init)
	case clusterKind:
		return strict(text, &d.cluster)
	case boxKind:
		return strict(text, &d.box)
	case kubeletKind:
		d.kubelet, err = locate.Strict[kubeletv1beta1.KubeletConfiguration](root, text, list("fields/kubelet.txt"))
	case kubeProxyKind:
		d.kubeProxy, err = locate.Strict[proxyv1alpha1.KubeProxyConfiguration](root, text, list("fields/kube-proxy.txt"))
	}
	return err
}

// strict decodes into a struct of file.go and refuses fields that it does not have.
func strict(text []byte, into any) error {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	return dec.Decode(into)
}

var separator = regexp.MustCompile(`^---\s*(\s#.*)?$`)

// Documents cuts a config file at its separators. Before each there are as many empty lines
// as the file has, so that a line of it is one of the file.
func Documents(data []byte) [][]byte {
	var docs [][]byte
	start := 0
	lines := strings.Split(string(data), "\n")
	for i := 0; i <= len(lines); i++ {
		if i < len(lines) && !separator.MatchString(lines[i]) {
			continue
		}
		text := strings.Repeat("\n", start) + strings.Join(lines[start:i], "\n")
		docs = append(docs, []byte(text))
		start = i + 1
	}
	return docs
}

// line finds a field of kubeadm's documents or ours, such as etcd.local.extraArgs[0].name,
// or what is there of it; 0 when nothing is.
func (d *documents) line(field string) int {
	line := 0
	for _, kind := range []string{initKind, clusterKind, boxKind} {
		line = max(line, locate.Line(d.roots[kind], field))
	}
	return line
}
