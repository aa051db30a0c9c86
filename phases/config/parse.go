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
)

const apiVersion = "kubeadm.k8s.io/v1beta4"

// documents is a config file, read but not yet checked.
type documents struct {
	name    string
	init    initConfiguration
	cluster clusterConfiguration
	roots   []*yaml.Node // of the documents, to tell the line of a field
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

// read decodes every document of a file strictly. What could be read is returned
// also with an error, so that it can be checked as well. name is for messages.
func read(name string, data []byte) (documents, []error) {
	d := documents{name: name}
	var errs []error
	seen := map[string]int{}
	for _, part := range split(data) {
		root, err := part.parse()
		if err == nil && root == nil {
			continue
		}
		kind := lookup(root, "kind")
		if err == nil && seen[kind] > 0 {
			err = fmt.Errorf("line %d: a second %s, the first is at line %d", root.Line, kind, seen[kind])
		}
		if err == nil {
			seen[kind] = root.Line
			d.roots = append(d.roots, root)
			err = d.decode(root, part)
		}
		errs = append(errs, located(name, err)...)
	}
	return d, errs
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

func (d *documents) decode(root *yaml.Node, part document) error {
	version, kind := lookup(root, "apiVersion"), lookup(root, "kind")
	if version != apiVersion {
		return fmt.Errorf("line %d: apiVersion %q is not supported, want %s", root.Line, version, apiVersion)
	}
	var into any
	switch kind {
	case "InitConfiguration":
		into = &d.init
	case "ClusterConfiguration":
		into = &d.cluster
	default:
		return fmt.Errorf("line %d: kind %q is not supported, want InitConfiguration or ClusterConfiguration", root.Line, kind)
	}
	dec := yaml.NewDecoder(bytes.NewReader(part.text))
	dec.KnownFields(true)
	return dec.Decode(into)
}

// document is one YAML document. Its text begins with as many empty lines as
// stand before it in the file, so that line numbers in errors are the file's.
type document struct{ text []byte }

var separator = regexp.MustCompile(`^---\s*(\s#.*)?$`)

func split(data []byte) []document {
	var docs []document
	start := 0
	lines := strings.Split(string(data), "\n")
	for i := 0; i <= len(lines); i++ {
		if i < len(lines) && !separator.MatchString(lines[i]) {
			continue
		}
		text := strings.Repeat("\n", start) + strings.Join(lines[start:i], "\n")
		docs = append(docs, document{[]byte(text)})
		start = i + 1
	}
	return docs
}
