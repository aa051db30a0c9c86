package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"bootstrap/phases/locate"
)

func (b *builder) validateKubelet(c *Config) {
	b.validatePodURL(c.Kubelet)
	m, _ := minorOf(c.KubernetesVersion)
	for _, name := range slices.Sorted(maps.Keys(c.Kubelet)) {
		if kubeletFieldSince[name] > m.number {
			b.badKubelet(name, "the kubelet of Kubernetes 1.%d has no such field", m.number)
		}
	}
}

// dropEmpty takes out what says no more than that the default is meant: null anywhere,
// and these fields where they are empty. kubeadm prints them so.
func dropEmpty(document map[string]any, rules []decided, more ...string) {
	dropNulls(document)
	for _, r := range rules {
		more = append(more, r.field)
	}
	for _, field := range more {
		if textOf(document, field) == "" {
			unstructured.RemoveNestedField(document, strings.Split(field, ".")...)
		}
	}
}

func dropNulls(fields map[string]any) {
	maps.DeleteFunc(fields, func(_ string, value any) bool { return value == nil })
	for _, value := range fields {
		if inner, deeper := value.(map[string]any); deeper {
			dropNulls(inner)
		}
	}
}

// badKubelet adds a finding about a field of the kubelet's document.
func (b *builder) badKubelet(field, format string, args ...any) {
	b.found(locate.Line(b.docs.roots[kubeletKind], field), field+": "+fmt.Sprintf(format, args...))
}

// textOf is a field such as authorization.mode as text; empty without.
func textOf(fields map[string]any, field string) string {
	value, _, _ := unstructured.NestedFieldNoCopy(fields, strings.Split(field, ".")...) // the document was read strictly
	return textIn(value)
}

// textIn is a value of a document as a flag has it: a list with commas, a mapping as in a=1,b=2.
func textIn(value any) string {
	var words []string
	switch v := value.(type) {
	case nil:
	case []any:
		for _, each := range v {
			words = append(words, fmt.Sprint(each))
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			words = append(words, fmt.Sprint(name, "=", v[name]))
		}
	default:
		return fmt.Sprint(v)
	}
	return strings.Join(words, ",")
}
