// Package podmanifest judges the manifest of a static pod before a kubelet is given it:
// what can't be one is refused with file, line, field and reason. It only reads: it knows
// neither this machine nor its other pods.
package podmanifest

import (
	"bytes"
	_ "embed" // of the list of fields
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	kjson "sigs.k8s.io/json"
	sigsyaml "sigs.k8s.io/yaml"

	"bootstrap/phases/locate"
)

// MaxSize is what a kubelet reads of a file: it takes none that is longer.
const MaxSize = 10 << 20

// podFields are the names of all fields of a Pod, one a line, kept by TestFieldList.
//
//go:embed fields.txt
var podFields string

// Parse reads a static pod's manifest, YAML or JSON, and refuses what no kubelet could
// run: all findings at once, each an error that begins with file and line.
func Parse(file string, data []byte) (*corev1.Pod, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%s: it is longer than what a kubelet takes, %d bytes", file, MaxSize)
	}
	var why reasons
	if err := sigsyaml.UnmarshalStrict(reasonsFile, &why); err != nil {
		return nil, err
	}
	root, err := parse(data)
	if err == nil {
		err = checkKind(root, why.Kinds)
	}
	if err != nil {
		return nil, errors.Join(locate.Errors(file, err, nil)...)
	}
	pod, all, err := decode(root, data)
	if err != nil {
		return nil, errors.Join(locate.Errors(file, err, strings.Fields(podFields))...)
	}
	c := &check{file: file, root: root, why: why}
	c.pod(pod, all)
	return pod, c.err()
}

// parse gives the root of the one document that there may be.
func parse(data []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && doc.Content[0].Tag == "!!null" {
		return nil, errors.New("it is empty: a static pod's manifest is one Pod")
	}
	if err != nil {
		return nil, err
	}
	for err = dec.Decode(&more); err == nil; err = dec.Decode(&more) {
		if more.Content[0].Tag != "!!null" { // a --- at the end begins nothing
			return nil, fmt.Errorf("line %d: a second document begins here, and a kubelet reads only the first of a file: put each in a file of its own", more.Line)
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	if doc.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: this is no Pod: want a mapping that begins with apiVersion: v1 and kind: Pod", doc.Content[0].Line)
	}
	return doc.Content[0], nil
}

// decode reads a Pod strictly, piece by piece, so that each finding has its line: the JSON
// library ends at the first wrong type, and does not say in which entry of a list it is.
// It also gives all that is written, by the names of its fields.
func decode(root *yaml.Node, data []byte) (*corev1.Pod, map[string]any, error) {
	var readable map[string]any // the JSON library's reader lets duplicate keys pass
	if err := root.Decode(&readable); err != nil {
		return nil, nil, err
	}
	text, err := sigsyaml.YAMLToJSON(data)
	if err != nil {
		return nil, nil, fmt.Errorf("line %d: %w", root.Line, err)
	}
	var all map[string]any
	if err := kjson.UnmarshalCaseSensitivePreserveInts(text, &all); err != nil {
		return nil, nil, fmt.Errorf("line %d: %w", root.Line, err)
	}
	findings := badQuantities(root, all)
	for _, p := range pieces(all) {
		findings = append(findings, p.findings(root)...)
	}
	if len(findings) > 0 {
		return nil, nil, &yaml.TypeError{Errors: findings}
	}
	pod := &corev1.Pod{}
	return pod, all, kjson.UnmarshalCaseSensitivePreserveInts(text, pod)
}

// piece is a part of a Pod, in a document that has nothing else.
type piece struct {
	field    string // such as spec.containers[1]
	document map[string]any
}

// pieces are the fields of a Pod, those of spec one by one, and lists of mappings entry by
// entry.
func pieces(all map[string]any) []piece {
	var found []piece
	spec, _ := all["spec"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if name != "spec" || spec == nil {
			found = append(found, piece{name, map[string]any{name: all[name]}})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(spec)) {
		entries, _ := spec[name].([]any)
		if !slices.ContainsFunc(entries, isMapping) {
			found = append(found, specPiece("spec."+name, name, spec[name]))
			continue
		}
		for i, entry := range entries {
			before := slices.Repeat([]any{map[string]any{}}, i) // empty entries, so that it keeps its index
			found = append(found, specPiece(fmt.Sprintf("spec.%s[%d]", name, i), name, append(before, entry)))
		}
	}
	return found
}

func specPiece(field, name string, value any) piece {
	return piece{field, map[string]any{"spec": map[string]any{name: value}}}
}

func isMapping(v any) bool {
	_, is := v.(map[string]any)
	return is
}

// findings are what of a piece is unknown, or of a wrong type.
func (p piece) findings(root *yaml.Node) []string {
	data, _ := json.Marshal(p.document) // it was read from JSON
	unknown, err := kjson.UnmarshalStrict(data, &corev1.Pod{})
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		list, _, _ := strings.Cut(p.field, "[")
		wrong.Field = p.field + strings.TrimPrefix(wrong.Field, list)
	}
	var found []string
	for _, each := range append(unknown, err) {
		if each != nil {
			found = append(found, locate.JSON(root, p.field, each, strings.Fields(podFields)))
		}
	}
	return found
}
