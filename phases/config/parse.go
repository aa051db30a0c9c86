package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

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

// duration is written as in Go: 4m0s, 8760h.
type duration time.Duration

func (d *duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil {
		// A TypeError lets the decoder go on to the next field.
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %q is no duration such as 4m0s", n.Line, n.Value)}}
	}
	*d = duration(v)
	return nil
}

func (d duration) MarshalYAML() (any, error) { return time.Duration(d).String(), nil }

// timestamp is a point in time as JSON has it.
type timestamp time.Time

func (t *timestamp) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.Parse(time.RFC3339, n.Value)
	if err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %q is no time such as 2030-01-31T12:00:00Z", n.Line, n.Value)}}
	}
	*t = timestamp(v)
	return nil
}

func (t timestamp) MarshalYAML() (any, error) { return time.Time(t).Format(time.RFC3339Nano), nil }

// read decodes every document of a file strictly. What could be read is returned
// also with an error, so that it can be checked as well. name is for messages.
func read(name string, data []byte) (documents, []error) {
	d := documents{name: name, roots: map[string]*yaml.Node{}}
	var errs []error
	for _, text := range Documents(data) {
		part := document{text}
		root, err := part.parse()
		if err == nil && root == nil {
			continue
		}
		if err == nil {
			err = d.add(root, part)
		}
		errs = append(errs, locate.Errors(name, err, fieldNames())...)
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

// parse gives the document's root, nil if there is nothing but comments.
func (part document) parse() (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(part.text))
	var doc, more yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err == nil {
		if err = dec.Decode(&more); err == nil {
			return nil, fmt.Errorf("line %d: another document begins here: put '---' on a line of its own before it", more.Line)
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return doc.Content[0], nil
}

func (d *documents) add(root *yaml.Node, part document) error {
	kind := locate.Text(root, "kind")
	if first := d.roots[kind]; first != nil {
		return fmt.Errorf("line %d: a second %s, the first is at line %d", root.Line, kind, first.Line)
	}
	d.roots[kind] = root
	d.order = append(d.order, kind)
	return d.decode(root, part)
}

func (d *documents) decode(root *yaml.Node, part document) (err error) {
	switch version, kind := locate.Text(root, "apiVersion"), locate.Text(root, "kind"); [2]string{version, kind} {
	case [2]string{kubeadmV1beta4, initKind}, [2]string{kubeadmV1beta3, initKind}:
		return part.strict(&d.init)
	case [2]string{kubeadmV1beta4, clusterKind}, [2]string{kubeadmV1beta3, clusterKind}:
		return part.strict(&d.cluster)
	case [2]string{boxVersion, boxKind}:
		return part.strict(&d.box)
	case [2]string{kubeletVersion, kubeletKind}:
		d.kubelet, err = fields[kubeletv1beta1.KubeletConfiguration](part, root, kubeletFields)
		return err
	case [2]string{kubeProxyVersion, kubeProxyKind}:
		d.kubeProxy, err = fields[proxyv1alpha1.KubeProxyConfiguration](part, root, kubeProxyFields)
		return err
	default:
		return fmt.Errorf("line %d: %s", root.Line, unsupported(version, kind))
	}
}

// unsupported says what is wrong with a document that init does not read.
func unsupported(version, kind string) string {
	command := map[string]string{
		"JoinConfiguration": "join", "ResetConfiguration": "reset", "UpgradeConfiguration": "upgrade",
	}
	versions := map[string]string{
		initKind: kubeadmV1beta4, clusterKind: kubeadmV1beta4, boxKind: boxVersion, kubeletKind: kubeletVersion, kubeProxyKind: kubeProxyVersion,
	}
	switch {
	case command[kind] != "" && strings.HasPrefix(version, "kubeadm.k8s.io/"):
		return fmt.Sprintf("kind %q is for the %s command, init does not read it", kind, command[kind])
	case versions[kind] != "":
		return fmt.Sprintf("apiVersion %q is not supported for %s, want %s", version, kind, versions[kind])
	case kind == "":
		return "this document has no kind, want " + initKind + " or " + clusterKind
	}
	return fmt.Sprintf("kind %q is not supported, want %s, %s, %s, %s or %s", kind, initKind, clusterKind, boxKind, kubeletKind, kubeProxyKind)
}

// strict decodes into a struct of file.go and refuses fields that it does not have.
func (part document) strict(into any) error {
	dec := yaml.NewDecoder(bytes.NewReader(part.text))
	dec.KnownFields(true)
	return dec.Decode(into)
}

// document is one YAML document. Its text begins with as many empty lines as
// stand before it in the file, so that line numbers in errors are the file's.
type document struct{ text []byte }

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
