package pki

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// ConflictError says that a kubeconfig has an entry of that name which belongs to
// another cluster.
type ConflictError struct {
	List string // clusters, users, contexts
	Name string
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("its entry %q of %s belongs to another cluster", e.Name, e.List)
}

// entry is one named thing of a kubeconfig: {name: NAME, KIND: fields}.
type entry struct {
	list, kind, name string
	fields           map[string]any
	isOurs           func(there map[string]any) bool // what is there is of this cluster
}

// MergeKubeconfig adds k to a kubeconfig, or brings up to date what is there of k. All
// else stays as it is, byte for byte where the file is written as most are, and the
// current context too, if it has one. An entry of that name which is another cluster's
// is a *ConflictError.
func MergeKubeconfig(old []byte, k Kubeconfig) ([]byte, error) {
	var file map[string]any
	if err := yaml.Unmarshal(old, &file); err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	if len(file) == 0 {
		return EncodeKubeconfig(k)
	}
	merged := maps.Clone(file)
	text := string(old)
	for _, e := range k.entries() {
		list, there, err := e.mergeInto(file[e.list])
		if err != nil {
			return nil, err
		}
		merged[e.list] = list
		text = e.write(text, there)
	}
	if file["current-context"] == nil || file["current-context"] == "" {
		merged["current-context"] = k.context()
		text = writeCurrent(text, k.context())
	}
	return sameOrEncoded([]byte(text), merged)
}

// sameOrEncoded gives the text if it says what was wanted, and else all of it anew:
// there are more ways to write YAML than there is reason to know.
func sameOrEncoded(text []byte, want map[string]any) ([]byte, error) {
	encoded, err := yaml.Marshal(want)
	if err != nil {
		return nil, err
	}
	var got map[string]any
	if yaml.UnmarshalStrict(text, &got) != nil {
		return encoded, nil
	}
	if again, err := yaml.Marshal(got); err != nil || !bytes.Equal(again, encoded) {
		return encoded, err
	}
	return text, nil
}

func (k Kubeconfig) context() string { return k.User + "@" + k.Cluster }

func (k Kubeconfig) entries() []entry {
	encode := base64.StdEncoding.EncodeToString
	ca := encode(k.CA)
	return []entry{
		{"clusters", "cluster", k.Cluster, map[string]any{"certificate-authority-data": ca, "server": k.Server},
			func(there map[string]any) bool { return there["certificate-authority-data"] == ca }},
		{"users", "user", k.User, map[string]any{"client-certificate-data": encode(k.Cert), "client-key-data": encode(k.Key)},
			func(there map[string]any) bool { return k.signed(there["client-certificate-data"]) }},
		{"contexts", "context", k.context(), map[string]any{"cluster": k.Cluster, "user": k.User},
			func(there map[string]any) bool { return there["cluster"] == k.Cluster && there["user"] == k.User }},
	}
}

// signed tells whether data is a certificate of this cluster's CA.
func (k Kubeconfig) signed(data any) bool {
	text, _ := data.(string)
	pemText, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	cert, err := ParseCert(pemText)
	if err != nil {
		return false
	}
	ca, err := ParseCert(k.CA)
	return err == nil && cert.CheckSignatureFrom(ca) == nil
}

// mergeInto gives the list with this entry in it, and the fields it had there, nil if
// it is new.
func (e entry) mergeInto(value any) (list []any, there map[string]any, err error) {
	old, ok := value.([]any)
	if !ok && value != nil {
		return nil, nil, errors.New(e.list + " is no list")
	}
	for _, each := range old {
		if named, _ := each.(map[string]any); named["name"] == e.name {
			there, _ = named[e.kind].(map[string]any)
			if !e.isOurs(there) {
				return nil, nil, &ConflictError{List: e.list, Name: e.name}
			}
			each = e.updated(named, there)
		}
		list = append(list, each)
	}
	if there == nil {
		list = append([]any{map[string]any{"name": e.name, e.kind: e.fields}}, list...)
	}
	return list, there, nil
}

// updated keeps what users add to an entry, such as a namespace.
func (e entry) updated(named, there map[string]any) map[string]any {
	fields, again := maps.Clone(there), maps.Clone(named)
	maps.Copy(fields, e.fields)
	again[e.kind] = fields
	return again
}

// write is mergeInto for the text of the file: as good as it can, the caller checks it.
func (e entry) write(text string, there map[string]any) string {
	if there == nil {
		return e.insert(text)
	}
	for name, value := range e.fields {
		was, _ := there[name].(string)
		if now := value.(string); was != now && strings.Count(text, was) == 1 {
			text = strings.Replace(text, was, now, 1)
		}
	}
	return text
}

// insert puts the entry first in its list: there, no other is looked at.
func (e entry) insert(text string) string {
	item, err := yaml.Marshal([]any{map[string]any{"name": e.name, e.kind: e.fields}})
	if err != nil {
		return text
	}
	line, indent, found := listAt(text, e.list)
	if !found {
		return ended(text) + e.list + ":\n" + string(item)
	}
	lines := strings.SplitAfter(text, "\n")
	var indented strings.Builder
	for l := range strings.Lines(string(item)) {
		indented.WriteString(strings.Repeat(" ", indent) + l)
	}
	return strings.Join(lines[:line], "") + indented.String() + strings.Join(lines[line:], "")
}

// listAt finds the line (from 1) of a list's key and the column (from 0) of its items.
func listAt(text, key string) (line, indent int, found bool) {
	var document yamlv3.Node
	if yamlv3.Unmarshal([]byte(text), &document) != nil || len(document.Content) == 0 {
		return 0, 0, false
	}
	pairs := document.Content[0].Content
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i].Value == key {
			return pairs[i].Line, max(pairs[i+1].Column-1, 0), true
		}
	}
	return 0, 0, false
}

func writeCurrent(text, context string) string {
	const empty = `current-context: ""`
	if strings.Count(text, empty) == 1 {
		return strings.Replace(text, empty, "current-context: "+context, 1)
	}
	return ended(text) + "current-context: " + context + "\n"
}

func ended(text string) string {
	if strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}
