// Package locate says where in a YAML file something is wrong: file, line, field, and
// the nearest name that is known. It must not know what the file is for.
package locate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"go.yaml.in/yaml/v3"
	kjson "sigs.k8s.io/json"
	sigsyaml "sigs.k8s.io/yaml"
)

var (
	lineOf       = regexp.MustCompile(`(?s)^(?:yaml: )?(?:unmarshal errors:)?\s*line (\d+): (.*)$`)
	shownValue   = regexp.MustCompile("(?s) `.*`") // of the file: it may be a secret
	unknownField = regexp.MustCompile(`(?s)^field (.*) not found in type .*$`)
	numeric      = regexp.MustCompile(`^u?int\d*$|^float\d+$`)
	wrongType    = regexp.MustCompile(`(?s)^cannot unmarshal (\S+)(?: .*)? into (\S+)`)
)

// Finding is one thing that is wrong, and where.
type Finding struct {
	File string
	Line int
	Text string
}

func (f *Finding) Error() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text) }

// ReadError is a finding of the YAML library: the value could not be read.
type ReadError struct{ Finding }

// Errors turns what the YAML library says into one error per finding, each beginning
// with file and line. known are the fields that a typo may stand for.
func Errors(file string, err error, known []string) []error {
	if err == nil {
		return nil
	}
	messages := []string{err.Error()}
	if typed := (*yaml.TypeError)(nil); errors.As(err, &typed) {
		messages = typed.Errors
	}
	var errs []error
	for _, m := range messages {
		errs = append(errs, one(file, m, known))
	}
	return errs
}

func one(file, message string, known []string) error {
	message = shownValue.ReplaceAllString(message, "")
	m := lineOf.FindStringSubmatch(message)
	if m == nil {
		return fmt.Errorf("%s: %s", file, strings.TrimPrefix(message, "yaml: "))
	}
	line, _ := strconv.Atoi(m[1]) // the pattern wants digits
	return &ReadError{Finding{file, line, plain(m[2], known)}}
}

// plain says in the words of a config file what the library says in those of Go.
func plain(message string, known []string) string {
	if m := wrongType.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("want %s, not %s", wanted(m[2]), cmp.Or(kindNames[m[1]], m[1]))
	}
	if m := unknownField.FindStringSubmatch(message); m != nil {
		return unknown(m[1], known)
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

// kindNames are what YAML and JSON call kinds of values.
var kindNames = map[string]string{
	"!!seq": "a list", "!!map": "a mapping", "!!str": "text", "!!int": "a number", "!!float": "a number", "!!bool": "true or false",
	"!!binary": "binary data", "!!timestamp": "a date", "!!null": "nothing", "!!merge": "a merge",
	"array": "a list", "object": "a mapping", "string": "text", "number": "a number", "bool": "true or false",
}

func wanted(goType string) string {
	switch {
	case goType == "time.Duration":
		return "a duration such as 4m0s"
	case numeric.MatchString(goType):
		return "a number"
	case strings.HasPrefix(goType, "[]"), goType == "slice":
		return "a list"
	}
	return cmp.Or(kindNames[goType], "a mapping")
}

// DidYouMean ends an error with the known word that a typo may stand for, if any.
func DidYouMean(word string, known []string) string {
	best, least := "", 1+min(2, len(word)/3)
	for _, each := range known {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(each)); d < least {
			best, least = each, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// Root is the root of the first document in a text, nil if there is none, and the next document,
// if there is one. A --- at the end begins nothing.
func Root(text []byte) (root, next *yaml.Node, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc yaml.Node
		switch err := dec.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return root, nil, nil
		case err != nil:
			return nil, nil, err
		case root == nil:
			root = doc.Content[0]
		case doc.Content[0].Tag != "!!null":
			return root, &doc, nil
		}
	}
}

// Line is the line of a field in a document; if it is not there, of the nearest field above.
func Line(n *yaml.Node, field string) int {
	line, _ := find(n, field)
	return line
}

// Node is what stands at a field of a document, nil if nothing does.
func Node(n *yaml.Node, field string) *yaml.Node {
	_, at := find(n, field)
	return at
}

// find goes to a field as far as a document has it: the line of the last key, and what is there.
func find(n *yaml.Node, field string) (line int, at *yaml.Node) {
	for n != nil && field != "" {
		var key *yaml.Node
		if key, n, field = entry(n, field); key != nil {
			line = key.Line
		}
	}
	return line, n
}

// entry takes the first step of a field such as spec.containers[0].name: it gives that
// step's key and value, and the rest of the field. The last key may have dots itself.
func entry(n *yaml.Node, field string) (key, value *yaml.Node, rest string) {
	const marks = ".[]"
	field = strings.Trim(field, marks)
	if key, value = child(n, field); key != nil {
		return key, value, ""
	}
	end := strings.IndexAny(field, marks)
	if end < 0 {
		return nil, nil, ""
	}
	key, value = child(n, field[:end])
	return key, value, field[end:]
}

// child is the entry of a mapping or list, and where it is written.
func child(n *yaml.Node, step string) (key, value *yaml.Node) {
	if n.Alias != nil {
		n = n.Alias
	}
	if i, err := strconv.Atoi(step); n.Kind == yaml.SequenceNode && err == nil && i >= 0 && i < len(n.Content) {
		return n.Content[i], n.Content[i]
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == step {
			return n.Content[i], n.Content[i+1]
		}
	}
	if i, err := strconv.Atoi(step); n.Kind == yaml.MappingNode && err == nil && i >= 0 {
		return sortedChild(n, i)
	}
	return nil, nil
}

// sortedChild is the entry of a mapping with this index among its sorted keys. So config
// numbers the flags of v1beta3, which are a mapping there.
func sortedChild(n *yaml.Node, index int) (key, value *yaml.Node) {
	byKey := func(a, b []*yaml.Node) int { return cmp.Compare(a[0].Value, b[0].Value) }
	entries := slices.SortedFunc(slices.Chunk(n.Content, 2), byKey)
	if index >= len(entries) {
		return nil, nil
	}
	return entries[index][0], entries[index][0]
}

// Text is the text of a field, empty if there is none.
func Text(root *yaml.Node, field string) string {
	if n := Node(root, field); n != nil {
		return n.Value
	}
	return ""
}

func fields(root *yaml.Node, text []byte) (all map[string]any, err error) {
	var readable map[string]any // the JSON library's reader lets duplicate keys pass
	if err := root.Decode(&readable); err != nil {
		return nil, err
	}
	data, err := sigsyaml.YAMLToJSON(text)
	if err == nil {
		err = kjson.UnmarshalCaseSensitivePreserveInts(data, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", root.Line, err)
	}
	return all, nil
}

// Strict is all that is written in a document of the type T of Kubernetes', which knows JSON
// only, or what of it T does not take, in the YAML library's form. known is as in Errors; old are
// fields at the top, or of one at the top, that are left out.
func Strict[T any](root *yaml.Node, text []byte, known, old []string) (map[string]any, error) {
	all, err := fields(root, text)
	if err != nil {
		return nil, err
	}
	for _, field := range old {
		top, below, _ := strings.Cut(field, ".")
		if inner, is := all[top].(map[string]any); is {
			delete(inner, below)
		}
		delete(all, field)
	}
	s := strict{root: root, known: known, refusal: func(document any) error {
		data, _ := json.Marshal(document) // fields has read it from JSON
		unknown, err := kjson.UnmarshalStrict(data, new(T))
		return errors.Join(append(unknown, err)...)
	}}
	if found := s.findings("", all, func(value any) any { return value }); len(found) > 0 {
		return nil, &yaml.TypeError{Errors: found}
	}
	return all, nil
}

// strict asks a type of each value of a document. The JSON library ends at the first wrong
// type, and does not say in which entry of a list it is: so it is given each one alone.
type strict struct {
	root    *yaml.Node
	known   []string
	refusal func(document any) error
}

// findings are about a field's value, or else about what is below it. alone makes a value of
// this field a document that has nothing else.
func (s strict) findings(field string, value any, alone func(any) any) []string {
	err := s.refusal(alone(value))
	if err == nil {
		return nil
	}
	if s.refusal(alone(empty(value))) == nil {
		if found := s.below(field, value, alone); len(found) > 0 {
			return found
		}
	}
	return []string{fmt.Sprintf("line %d: %s", Line(s.root, field), s.inJSON(field, err))}
}

// empty is a value of the same kind with nothing below it.
func empty(value any) any {
	switch value.(type) {
	case map[string]any:
		return map[string]any{}
	case []any:
		return []any{}
	}
	return value
}

func (s strict) below(field string, value any, alone func(any) any) (found []string) {
	mapping, _ := value.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(mapping)) {
		part := func(value any) any { return alone(map[string]any{name: value}) }
		found = append(found, s.findings(strings.TrimPrefix(field+"."+name, "."), mapping[name], part)...)
	}
	list, _ := value.([]any)
	for i, entry := range list {
		part := func(value any) any { return alone([]any{value}) }
		found = append(found, s.findings(fmt.Sprintf("%s[%d]", field, i), entry, part)...)
	}
	return found
}

// inJSON is what the JSON library says about a field.
func (s strict) inJSON(field string, err error) string {
	switch text := err.Error(); {
	case strings.HasPrefix(text, "unknown field "):
		return unknown(field[strings.LastIndex(field, ".")+1:], s.known)
	case strings.HasPrefix(text, "quantities must match "):
		return field + ": want a quantity such as 500m or 64Mi"
	}
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return fmt.Sprintf("%s: %v", field, err)
	}
	got, number, _ := strings.Cut(wrong.Value, " ")
	if number != "" {
		return fmt.Sprintf("%s: %s is no whole number in range", field, number)
	}
	return fmt.Sprintf("%s: want %s, not %s", field, wanted(wrong.Type.Kind().String()), kindNames[got])
}
