package config

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	lineOf       = regexp.MustCompile(`(?s)^(?:yaml: )?(?:unmarshal errors:)?\s*line (\d+): (.*)$`)
	shownValue   = regexp.MustCompile("(?s) `.*`") // of the file: it may be a secret
	unknownField = regexp.MustCompile(`(?s)^field (.*) not found in type .*$`)
	numeric      = regexp.MustCompile(`^u?int\d*$|^float\d+$`)
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
	message = shownValue.ReplaceAllString(message, "")
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
	if m := unknownField.FindStringSubmatch(message); m != nil {
		return unknown(m[1], fieldNames())
	}
	return message
}

// unknown says that a field is not one of those known.
func unknown(field string, known []string) string {
	if slices.Contains(known, field) {
		return fmt.Sprintf("field %q does not belong here", field)
	}
	return fmt.Sprintf("unknown field %q%s", field, DidYouMean(field, known))
}

var kindNames = map[string]string{
	"!!seq": "a list", "!!map": "a mapping", "!!str": "text", "!!int": "a number", "!!float": "a number", "!!bool": "true or false",
	"!!binary": "binary data", "!!timestamp": "a date", "!!null": "nothing", "!!merge": "a merge",
}

func wanted(goType string) string {
	switch {
	case goType == "string":
		return "text"
	case goType == "bool":
		return "true or false"
	case numeric.MatchString(goType):
		return "a number"
	case strings.HasPrefix(goType, "[]"), goType == "slice":
		return "a list"
	}
	return "a mapping"
}

// DidYouMean ends an error with the known word that a typo may stand for, if any.
func DidYouMean(word string, known []string) string {
	best, least := "", 1+min(2, len(word)/3)
	for _, each := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(each)); d < least {
			best, least = each, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
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

// line finds a field of kubeadm's documents or ours, such as etcd.local.extraArgs[0].name,
// or what is there of it; 0 when nothing is.
func (d *documents) line(field string) int {
	line := 0
	for _, kind := range []string{initKind, clusterKind, boxKind} {
		line = max(line, lineIn(d.roots[kind], field))
	}
	return line
}

// lineIn is the line of a field in a document, or of what is there of it.
func lineIn(n *yaml.Node, field string) int {
	line := 0
	for _, step := range strings.FieldsFunc(field, func(r rune) bool { return strings.ContainsRune(".[]", r) }) {
		if n == nil {
			break
		}
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
	} else if n.Kind == yaml.MappingNode && err == nil {
		return sortedChild(n, i)
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == step {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

// sortedChild is the entry of v1beta3's flags that argMap makes the one with this index.
func sortedChild(n *yaml.Node, index int) (key, value *yaml.Node) {
	var keys []*yaml.Node
	for i := 0; i < len(n.Content); i += 2 {
		keys = append(keys, n.Content[i])
	}
	slices.SortFunc(keys, func(a, b *yaml.Node) int { return cmp.Compare(a.Value, b.Value) })
	if index >= len(keys) {
		return nil, nil
	}
	return keys[index], keys[index]
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
