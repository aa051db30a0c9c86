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
	init    initConfiguration
	cluster clusterConfiguration
}

// duration is written as in Go: 4m0s, 8760h.
type duration time.Duration

func (d *duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %q is no duration such as 4m0s", n.Line, n.Value)
	}
	*d = duration(v)
	return nil
}

// read decodes every document of a file strictly. name is for messages.
func read(name string, data []byte) (documents, error) {
	var d documents
	var errs []error
	seen := map[string]int{}
	for _, part := range split(data) {
		var meta typeMeta
		err := yaml.Unmarshal(part.text, &meta)
		if err == nil && meta == (typeMeta{}) && len(bytes.TrimSpace(part.text)) == 0 {
			continue
		}
		if err == nil && seen[meta.Kind] > 0 {
			err = fmt.Errorf("line %d: a second %s, the first is at line %d", part.line, meta.Kind, seen[meta.Kind])
		}
		if err == nil {
			seen[meta.Kind] = part.line
			err = d.decode(meta, part)
		}
		errs = append(errs, located(name, err)...)
	}
	return d, errors.Join(errs...)
}

func (d *documents) decode(meta typeMeta, part document) error {
	if meta.APIVersion != apiVersion {
		return fmt.Errorf("line %d: apiVersion %q is not supported, want %s", part.line, meta.APIVersion, apiVersion)
	}
	var into any
	switch meta.Kind {
	case "InitConfiguration":
		into = &d.init
	case "ClusterConfiguration":
		into = &d.cluster
	default:
		return fmt.Errorf("line %d: kind %q is not supported, want InitConfiguration or ClusterConfiguration", part.line, meta.Kind)
	}
	dec := yaml.NewDecoder(bytes.NewReader(part.text))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// document is one YAML document. Its text begins with as many empty lines as
// stand before it in the file, so that line numbers in errors are the file's.
type document struct {
	text []byte
	line int
}

func split(data []byte) []document {
	var docs []document
	start := 0
	lines := strings.Split(string(data), "\n")
	for i := 0; i <= len(lines); i++ {
		if i < len(lines) && strings.TrimRight(lines[i], " \r") != "---" {
			continue
		}
		text := strings.Repeat("\n", start) + strings.Join(lines[start:i], "\n")
		docs = append(docs, document{text: []byte(text), line: start + 1})
		start = i + 1
	}
	return docs
}

var (
	lineOf       = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:)?\s*line (\d+): (.*)$`)
	unknownField = regexp.MustCompile(`^field (\S+) not found in type .*$`)
)

// located turns what the YAML library says into one error per finding, each
// beginning with file and line.
func located(name string, err error) []error {
	if err == nil {
		return nil
	}
	messages := []string{err.Error()}
	if typed := (*yaml.TypeError)(nil); errors.As(err, &typed) {
		messages = typed.Errors
	}
	var errs []error
	for _, m := range messages {
		errs = append(errs, locate(name, m))
	}
	return errs
}

func locate(name, message string) error {
	m := lineOf.FindStringSubmatch(message)
	if m == nil {
		return fmt.Errorf("%s: %s", name, strings.TrimPrefix(message, "yaml: "))
	}
	text := m[2]
	if f := unknownField.FindStringSubmatch(text); f != nil && notYet[f[1]] {
		text = fmt.Sprintf("field %q of kubeadm's is not supported yet", f[1])
	} else if f != nil {
		text = fmt.Sprintf("unknown field %q", f[1])
	}
	return fmt.Errorf("%s:%s: %s", name, m[1], text)
}
