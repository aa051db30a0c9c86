package config

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	lineOf       = regexp.MustCompile(`(?s)^(?:yaml: )?(?:unmarshal errors:)?\s*line (\d+): (.*)$`)
	unknownField = regexp.MustCompile(`(?s)^field (.*) not found in type .*$`)
	wrongType    = regexp.MustCompile(`(?s)^cannot unmarshal (\S+)(?: .*)? into (\S+)`)
)

// finding is one thing that is wrong, and where.
type finding struct {
	name string
	line int
	text string
}

func (f *finding) Error() string { return fmt.Sprintf("%s:%d: %s", f.name, f.line, f.text) }

// readError is a finding of the YAML library: the value could not be read.
type readError struct{ finding }

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
	line, _ := strconv.Atoi(m[1]) // digits, by the pattern
	return &readError{finding{name, line, plain(m[2])}}
}

// plain says in the words of a config file what the library says in those of Go.
func plain(message string) string {
	if m := wrongType.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("want %s, not %s", wanted(m[2]), cmp.Or(kindNames[m[1]], m[1]))
	}
	m := unknownField.FindStringSubmatch(message)
	switch {
	case m == nil:
		return message
	case notYet[m[1]]:
		return fmt.Sprintf("field %q of kubeadm's is not supported yet", m[1])
	}
	if near := nearest(m[1]); near != "" {
		return fmt.Sprintf("unknown field %q, did you mean %q?", m[1], near)
	}
	return fmt.Sprintf("unknown field %q", m[1])
}

var kindNames = map[string]string{
	"!!seq": "a list", "!!map": "a mapping", "!!str": "text", "!!int": "a number", "!!float": "a number", "!!bool": "true or false",
	"!!binary": "binary data", "!!timestamp": "a date", "!!null": "nothing", "!!merge": "a merge",
}

func wanted(goType string) string {
	switch {
	case goType == "string":
		return "text"
	case goType == "int":
		return "a number"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	}
	return "a mapping"
}

// nearest is the known field that a typo may stand for, or "".
func nearest(field string) string {
	best, least := "", 1+min(2, len(field)/3)
	for _, known := range fieldNames() {
		if d := distance(strings.ToLower(field), strings.ToLower(known)); d < least {
			best, least = known, d
		}
	}
	return best
}

// fieldNames are the names of all fields of a config file: one of everything that
// can stand in it is written out and read as YAML.
func fieldNames() []string {
	var names []string
	for _, part := range []any{initConfiguration{}, clusterConfiguration{}, Arg{}, Taint{}} {
		var root yaml.Node
		if err := root.Encode(part); err == nil { // without names there are no guesses
			names = append(names, keys(&root)...)
		}
	}
	return names
}

func keys(n *yaml.Node) []string {
	var names []string
	for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		names = append(names, n.Content[i].Value)
		names = append(names, keys(n.Content[i+1])...)
	}
	return names
}

// distance is how many letters must be put in, left out or changed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0]++
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// line finds a field such as etcd.local.extraArgs[0].name, or what is there of it;
// 0 when nothing is.
func (d *documents) line(field string) int {
	steps := strings.FieldsFunc(field, func(r rune) bool { return strings.ContainsRune(".[]", r) })
	line := 0
	for _, root := range d.roots {
		line = max(line, lineIn(root, steps))
	}
	return line
}

func lineIn(n *yaml.Node, steps []string) int {
	line := 0
	for _, step := range steps {
		key, value := child(n, step)
		if key == nil {
			break
		}
		line, n = key.Line, value
	}
	return line
}

// child is the entry of a mapping or list, and where it is written.
func child(n *yaml.Node, step string) (key, value *yaml.Node) {
	if n.Alias != nil {
		n = n.Alias
	}
	if i, err := strconv.Atoi(step); n.Kind == yaml.SequenceNode && err == nil && i < len(n.Content) {
		return n.Content[i], n.Content[i]
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == step {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

// lookup is the text of a top-level field.
func lookup(root *yaml.Node, field string) string {
	if root == nil {
		return ""
	}
	if _, value := child(root, field); value != nil {
		return value.Value
	}
	return ""
}
