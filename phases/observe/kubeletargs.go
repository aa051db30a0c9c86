package observe

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"bootstrap/phases/locate"
	"bootstrap/phases/machine"
)

// What a kubelet was told, by the order in which it reads that itself: its --config, over
// that the drop-ins of --config-dir, over both its flags. All of it is decided here by
// what was read elsewhere.

// commandLine is how a kubelet was started, or would be.
type commandLine struct {
	words []machine.Word
	dir   string // that relative paths begin at
	what  string // for people: the kubelet that runs (pid 42)
}

// told is one thing that a kubelet was told, and where.
type told struct{ value, where string }

// flag is a flag's last value, as pflag reads it: --name=value or --name value, and _ is as
// good as -.
func (l commandLine) flag(name string) (told, bool) {
	var last told
	found := false
	for i, word := range l.words {
		key, value, joined := strings.Cut(word.Text, "=")
		if strings.ReplaceAll(key, "_", "-") != "--"+name {
			continue
		}
		from := word.From
		if !joined && i+1 < len(l.words) {
			value = l.words[i+1].Text
		}
		where := fmt.Sprintf("--%s of %s", name, l.what)
		if from != "" {
			where += ", by " + from
		}
		last, found = told{value, where}, true
	}
	return last, found
}

// path is a flag that names a file or folder, as an absolute path.
func (l commandLine) path(name string) (told, bool) {
	t, ok := l.flag(name)
	t.value = absolute(t.value, l.dir)
	return t, ok && t.value != ""
}

func absolute(path, dir string) string {
	switch {
	case path == "":
		return ""
	case filepath.IsAbs(path):
		return filepath.Clean(path)
	}
	return filepath.Join("/", dir, path)
}

// withOrigins tells of the words of a kubelet that runs from where its unit has them.
func (l commandLine) withOrigins(unit []machine.Word) commandLine {
	origins := map[string]string{}
	for _, word := range unit {
		origins[word.Text] = word.From
	}
	var words []machine.Word
	for _, word := range l.words {
		word.From = cmp.Or(word.From, origins[word.Text])
		words = append(words, word)
	}
	l.words = words
	return l
}

// kubeletDocument is a KubeletConfiguration, or a drop-in of one.
type kubeletDocument struct {
	file string
	root *yaml.Node
	base bool // the file of --config: relative paths in it begin where it lies
}

func readKubeletDocument(file string, data []byte, base bool) (kubeletDocument, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return kubeletDocument{}, fmt.Errorf("%s: %w", file, err)
	}
	d := kubeletDocument{file: file, base: base}
	if len(doc.Content) > 0 {
		d.root = doc.Content[0]
	}
	return d, nil
}

// field is a top-level field; ok is false if the document says nothing of it. One that is
// null, in a drop-in, takes back what was said before.
func (d kubeletDocument) field(name string) (told, bool) {
	n := locate.Node(d.root, name)
	if n == nil || n.Kind != yaml.ScalarNode {
		return told{}, false
	}
	t := told{n.Value, fmt.Sprintf("%s in %s:%d", name, d.file, n.Line)}
	if n.Tag == "!!null" {
		t.value = ""
	}
	return t, true
}

// lastTold is a field of the documents, or a flag over them: what counts, and what was said
// before that and does not.
func lastTold(line commandLine, documents []kubeletDocument, field, flag string) (counts told, overridden []told) {
	var all []told
	for _, d := range documents {
		if t, ok := d.field(field); ok {
			all = append(all, t)
		}
	}
	if t, ok := line.flag(flag); ok {
		all = append(all, t)
	}
	if len(all) == 0 {
		return told{}, nil
	}
	return all[len(all)-1], all[:len(all)-1]
}

// staticPodPath is lastTold for the directory of static pods, as an absolute path.
func staticPodPath(line commandLine, documents []kubeletDocument) (counts told, overridden []told) {
	counts, overridden = lastTold(line, documents, "staticPodPath", "pod-manifest-path")
	dir := line.dir
	for _, d := range documents {
		if t, ok := d.field("staticPodPath"); ok && d.base && t == counts {
			dir = filepath.Dir(d.file)
		}
	}
	counts.value = absolute(counts.value, dir)
	return counts, overridden
}
