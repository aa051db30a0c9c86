package config

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"bootstrap/phases/locate"
)

// noTexts are fields of kubeadm's documents, also of older ones, that are numbers, or true or false, or nobody's.
var noTexts = regexp.MustCompile(`(^|\.)(bindPort|imagePullSerial|disabled|dryRun|readOnly|featureGates|useHyperKubeImage|metadata)(\.|$)`)

// yamlBoolean are the words that kubeadm's YAML, 1.1, takes for true or false, and ours for text.
var yamlBoolean = regexp.MustCompile(`^(?i:y|n|yes|no|on|off)$`)

// validateTexts refuses numbers and booleans where kubeadm wants text, as kubeadm does: 1.30 would become 1.3.
func (b *builder) validateTexts() {
	for _, kind := range []string{initKind, clusterKind} {
		if root := b.docs.roots[kind]; root != nil {
			b.validateText(locate.Text(root, "apiVersion"), "", root)
		}
	}
}

// validateText wants text in a field and all that is below it, and flags in the form of the version: reading takes
// them in both forms. What an alias stands for is looked at where it is written.
func (b *builder) validateText(version, field string, n *yaml.Node) {
	form := cmp.Or(n.Alias, n)
	isFlags := strings.HasSuffix(strings.ToLower(field), "extraargs") && len(form.Content) > 0
	isOther := slices.Contains([]string{"!!bool", "!!int", "!!float"}, n.Tag) || n.Style == 0 && yamlBoolean.MatchString(n.Value)
	switch {
	case noTexts.MatchString(field):
		return
	case isFlags && version == kubeadmV1beta4 && form.Kind == yaml.MappingNode:
		b.bad(field, "a mapping is how v1beta3 has it: v1beta4 wants a list of {name: ..., value: ...}")
	case isFlags && version == kubeadmV1beta3 && form.Kind == yaml.SequenceNode:
		b.bad(field, "a list is how v1beta4 has it: v1beta3 wants a mapping such as v: \"2\"; or write apiVersion: %s", kubeadmV1beta4)
	case n.Kind == yaml.ScalarNode && isOther:
		b.found(n.Line, field+": want text, not a number, true or false: put it in quotes")
	}
	for i, below := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			b.validateText(version, at(field, i), below)
		case i%2 == 1: // the value of a mapping
			b.validateText(version, strings.TrimPrefix(field+"."+n.Content[i-1].Value, "."), below)
		}
	}
}
