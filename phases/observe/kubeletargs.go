package observe

import (
	"fmt"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"bootstrap/phases/host"
	"bootstrap/phases/locate"
	"bootstrap/phases/machine"
)

// A setting is a value that a kubelet was given, and by what.
type setting struct {
	value string
	where string // for people: a flag, or a line of a file; empty where the kubelet was given none
	dir   string // that a relative path begins at
}

// path is the value as an absolute path; empty if it is.
func (s setting) path() string {
	switch {
	case s.value == "":
		return ""
	case filepath.IsAbs(s.value):
		return filepath.Clean(s.value)
	}
	return filepath.Join("/", s.dir, s.value)
}

// commandLine is how a kubelet was started, or would be.
type commandLine struct {
	words []machine.Word
	dir   string // that relative paths begin at
	pid   int    // zero of a kubelet that does not run
	what  string // for people: the kubelet that runs (pid 42)
}

// flag is a flag's last value, as pflag reads it: --name=value or --name value, and _ is as
// good as -.
func (l commandLine) flag(name string) setting {
	var last setting
	for i, word := range l.words {
		key, value, joined := strings.Cut(word.Text, "=")
		if strings.ReplaceAll(key, "_", "-") != "--"+name {
			continue
		}
		if !joined && i+1 < len(l.words) {
			value = l.words[i+1].Text
		}
		last = setting{value, fmt.Sprintf("--%s of %s", name, l.what), l.dir}
		if word.From != "" {
			last.where += ", by " + word.From
		}
	}
	return last
}

// kubeletDocument is a KubeletConfiguration, or a drop-in of one.
type kubeletDocument struct {
	file string
	dir  string // that relative paths in it begin at
	root *yaml.Node
}

func readKubeletDocument(h *host.Host, file, dir string) (kubeletDocument, error) {
	data, err := h.ReadFile(file)
	if err != nil {
		return kubeletDocument{}, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return kubeletDocument{}, fmt.Errorf("%s: %w", file, err)
	}
	d := kubeletDocument{file: file, dir: dir}
	if len(doc.Content) > 0 {
		d.root = doc.Content[0]
	}
	return d, nil
}

// field is a top-level field. One that is null, in a drop-in, takes back what was set before.
func (d kubeletDocument) field(name string) setting {
	n := locate.Node(d.root, name)
	if n == nil || n.Kind != yaml.ScalarNode {
		return setting{}
	}
	s := setting{n.Value, fmt.Sprintf("%s in %s:%d", name, d.file, n.Line), d.dir}
	if n.Tag == "!!null" {
		s.value = ""
	}
	return s
}

// lastSetting is the setting that counts, and those before it that it overrides. The kubelet reads
// its documents in their order, and then its flags.
func lastSetting(line commandLine, documents []kubeletDocument, field, flag string) (counts setting, overridden []setting) {
	var all []setting
	for _, d := range documents {
		all = append(all, d.field(field))
	}
	for _, s := range append(all, line.flag(flag)) {
		if s.where == "" {
			continue
		}
		if counts.where != "" {
			overridden = append(overridden, counts)
		}
		counts = s
	}
	return counts, overridden
}
