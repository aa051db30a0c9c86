package config

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

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

var (
	kindsRead = []string{initKind, clusterKind, boxKind, kubeletKind, kubeProxyKind}
	// versions are those of the kinds that are known, also of kubeadm's other commands: many keep one file for all.
	versions = map[string]string{
		initKind: kubeadmV1beta4, clusterKind: kubeadmV1beta4, boxKind: boxVersion, kubeletKind: kubeletVersion, kubeProxyKind: kubeProxyVersion,
		"JoinConfiguration": kubeadmV1beta4, "ResetConfiguration": kubeadmV1beta4, "UpgradeConfiguration": kubeadmV1beta4,
	}
)

// isForOthers tells of documents that kubeadm init passes over: those of its other commands, and those of groups that
// it does not know. Objects such as a Pod, whose version has no group, it refuses.
func isForOthers(version, kind string) bool {
	group, _, hasGroup := strings.Cut(version, "/")
	ours := []string{"kubeadm.k8s.io", "kubelet.config.k8s.io", "kubeproxy.config.k8s.io", "bootstrap"}
	if slices.Contains(ours, group) {
		return isOf(kind, version) && !slices.Contains(kindsRead, kind)
	}
	return hasGroup && kind != "" && locate.DidYouMean(kind, kindsRead) == ""
}

// isOf tells whether documents of a kind may have that version. kubeadm's older one is read as the newer.
func isOf(kind, version string) bool {
	wanted := versions[kind]
	return version == wanted || version == kubeadmV1beta3 && wanted == kubeadmV1beta4
}

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
	warnings   []string
}

// warn tells of something that means nothing here, or was taken for something else.
func (d *documents) warn(line int, text string) {
	if line != 0 {
		text = (&locate.Finding{File: d.name, Line: line, Text: text}).Error()
	}
	d.warnings = append(d.warnings, text)
}

// read decodes every document of a file strictly. What could be read is returned
// also with an error, so that it can be checked as well. name is for messages.
func read(name string, data []byte) (documents, []error) {
	d := documents{name: name, roots: map[string]*yaml.Node{}}
	var errs []error
	if !utf8.Valid(data) {
		return d, []error{&locate.Finding{File: name, Line: 1, Text: "it is no UTF-8, as kubeadm wants it: save it as that"}}
	}
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
	d.passOver()
	isRead := func(kind string) bool { return slices.Contains(kindsRead, kind) }
	if len(errs) == 0 && len(d.order) > 0 && !slices.ContainsFunc(d.order, isRead) {
		text := "nothing in this file is for init, which reads " + strings.Join(kindsRead, ", ")
		errs = append(errs, &locate.Finding{File: name, Line: d.roots[d.order[0]].Line, Text: text})
	}
	return d, errs
}

// oldFields are those that kubeadm and kube-proxy had once, and metadata, which was never theirs:
// kind writes it. kubeadm passes over any field that it does not know; here others are refused,
// as they may be typos.
var oldFields = map[string][]string{
	initKind: {"metadata"}, clusterKind: {"metadata", "useHyperKubeImage", "dns.type"}, boxKind: {"metadata"},
	kubeletKind: {"metadata"}, kubeProxyKind: {"metadata", "udpIdleTimeout", "resourceContainer", "conntrack.max"},
}

// passOver tells of the old fields, and takes them out.
func (d *documents) passOver() {
	for _, kind := range d.order {
		for _, field := range oldFields[kind] {
			if locate.Node(d.roots[kind], field) != nil {
				d.warn(locate.Line(d.roots[kind], field), field+": passed over: "+kind+" has no such field")
			}
		}
	}
	d.init.Metadata, d.cluster.Metadata, d.box.Metadata = nil, nil, nil
	d.cluster.UseHyperKubeImage, d.cluster.DNS.Type = nil, nil
}

// moveTimeout puts v1beta3's timeout where v1beta4 has it, unless one is there.
func (d *documents) moveTimeout() {
	old, timeout := &d.cluster.APIServer.TimeoutForControlPlane, &d.init.Timeouts.ControlPlaneComponentHealthCheck
	root := d.roots[clusterKind]
	if *old != nil && locate.Text(root, "apiVersion") == kubeadmV1beta4 {
		const field = "apiServer.timeoutForControlPlane"
		d.warn(locate.Line(root, field), field+": taken as timeouts.controlPlaneComponentHealthCheck of InitConfiguration")
	}
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

// decode reads a document of a kind that init takes.
func (d *documents) decode(root *yaml.Node, text []byte) (err error) {
	version, kind := locate.Text(root, "apiVersion"), locate.Text(root, "kind")
	switch {
	case isForOthers(version, kind):
		d.warn(root.Line, fmt.Sprintf("kind: passed over: %s of %s is not for init", kind, version))
		return nil
	case versions[kind] == "":
		return fmt.Errorf("line %d: init does not read kind %q, only %s%s",
			root.Line, kind, strings.Join(kindsRead, ", "), locate.DidYouMean(kind, kindsRead))
	case !isOf(kind, version):
		return fmt.Errorf("line %d: apiVersion %q is not supported for %s, want %s", root.Line, version, kind, versions[kind])
	}
	switch kind {
	case initKind:
		return strict(text, &d.init)
	case clusterKind:
		return strict(text, &d.cluster)
	case boxKind:
		return strict(text, &d.box)
	case kubeletKind:
		d.kubelet, err = locate.Strict[kubeletv1beta1.KubeletConfiguration](root, text, list("fields/kubelet.txt"), oldFields[kind])
	case kubeProxyKind:
		d.kubeProxy, err = locate.Strict[proxyv1alpha1.KubeProxyConfiguration](root, text, list("fields/kube-proxy.txt"), oldFields[kind])
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
	lines := append(strings.Split(string(data), "\n"), "---") // which ends the last document
	for i, line := range lines {
		if separator.MatchString(line) {
			text := strings.Repeat("\n", start) + strings.Join(lines[start:i], "\n")
			docs = append(docs, []byte(text))
			start = i + 1
		}
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

// noTexts are fields of kubeadm's documents, also of older ones, that are numbers, or true or false, or nobody's.
var noTexts = regexp.MustCompile(`(^|\.)(bindPort|imagePullSerial|disabled|dryRun|readOnly|featureGates|useHyperKubeImage|metadata)(\.|$)`)

// yamlBoolean are the words that kubeadm's YAML, 1.1, takes for true or false, and ours for text.
var yamlBoolean = regexp.MustCompile(`^(?i:y|n|yes|no|on|off)$`)

// validateTexts refuses numbers and booleans where kubeadm wants text, as kubeadm does: 1.30 would become 1.3.
func (b *builder) validateTexts() {
	for _, kind := range []string{initKind, clusterKind} {
		if root := b.docs.roots[kind]; root != nil {
			b.validateText(locate.Text(root, "apiVersion"), "", root)
		}
	}
}

// validateText wants text in a field and all that is below it, and flags in the form of the version: reading takes
// them in both forms. What an alias stands for is looked at where it is written.
func (b *builder) validateText(version, field string, n *yaml.Node) {
	form := cmp.Or(n.Alias, n)
	isFlags := strings.HasSuffix(strings.ToLower(field), "extraargs") && len(form.Content) > 0
	isOther := slices.Contains([]string{"!!bool", "!!int", "!!float"}, n.Tag) || n.Style == 0 && yamlBoolean.MatchString(n.Value)
	switch {
	case n.Tag == "!!float" && math.Mod(measure(n.Value), 1) != 0 && noTexts.MatchString(field):
		b.found(n.Line, field+": want a whole number")
		return
	case noTexts.MatchString(field):
		return
	case isFlags && version == kubeadmV1beta4 && form.Kind == yaml.MappingNode:
		b.bad(field, "a mapping is how v1beta3 has it: v1beta4 wants a list of {name: ..., value: ...}")
	case isFlags && version == kubeadmV1beta3 && form.Kind == yaml.SequenceNode:
		b.bad(field, "a list is how v1beta4 has it: v1beta3 wants a mapping such as v: \"2\"; or write apiVersion: %s", kubeadmV1beta4)
	case n.Kind == yaml.ScalarNode && isOther:
		b.found(n.Line, field+": want text, not a number, true or false: put it in quotes")
	}
	for i, below := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			b.validateText(version, at(field, i), below)
		case i%2 == 1: // the value of a mapping
			b.validateText(version, strings.TrimPrefix(field+"."+n.Content[i-1].Value, "."), below)
		}
	}
}
