package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"bootstrap/phases/locate"
)

// noTexts are the fields of kubeadm's documents that are numbers, or true or false.
var noTexts = []string{"bindPort", "imagePullSerial", "disabled", "dryRun", "readOnly", "featureGates"}

// yamlBoolean are the words that kubeadm's YAML, 1.1, takes for true or false, and ours for text.
var yamlBoolean = regexp.MustCompile(`^(?i:y|n|yes|no|on|off)$`)

// validateTexts refuses what YAML does not take for text: kubeadm does, and 1.30 would become 1.3.
func (b *builder) validateTexts() {
	for _, kind := range []string{initKind, clusterKind} {
		if root := b.docs.roots[kind]; root != nil {
			b.validateText("", root)
			b.validateArgForms(root)
		}
	}
}

// validateText looks at a field, and at those below it that are known.
func (b *builder) validateText(field string, n *yaml.Node) {
	isFlags := strings.HasSuffix(strings.ToLower(field), "extraargs") // whose names are v1beta3's keys
	for i := 1; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		key := n.Content[i-1].Value
		isKnown := slices.Contains(list("fields/schema.txt"), key) && !slices.Contains(noTexts, key)
		if isFlags || isKnown {
			b.validateText(strings.TrimPrefix(field+"."+key, "."), n.Content[i])
		}
	}
	for i := 0; n.Kind == yaml.SequenceNode && i < len(n.Content); i++ {
		b.validateText(at(field, i), n.Content[i])
	}
	if n.Kind != yaml.ScalarNode {
		return // what an alias stands for is looked at where it is written
	}
	isWord := n.Style == 0 && yamlBoolean.MatchString(n.Value)
	if slices.Contains([]string{"!!bool", "!!int", "!!float"}, n.Tag) || isWord {
		b.found(n.Line, fmt.Sprintf("%s: want text, not a number, true or false: put it in quotes", field))
	}
}

// validateArgForms wants flags as the version of the document has them. Reading takes both.
func (b *builder) validateArgForms(root *yaml.Node) {
	version := locate.Text(root, "apiVersion")
	for _, field := range []string{
		"apiServer.extraArgs", "controllerManager.extraArgs", "scheduler.extraArgs", "etcd.local.extraArgs", "nodeRegistration.kubeletExtraArgs",
	} {
		n := locate.Node(root, field)
		if n != nil && n.Alias != nil {
			n = n.Alias
		}
		switch {
		case n == nil || len(n.Content) == 0:
		case version == kubeadmV1beta4 && n.Kind == yaml.MappingNode:
			b.bad(field, "a mapping is how v1beta3 has it: v1beta4 wants a list of {name: %s, value: ...}", n.Content[0].Value)
		case version == kubeadmV1beta3 && n.Kind == yaml.SequenceNode:
			b.bad(field, "a list is how v1beta4 has it: v1beta3 wants a mapping such as v: \"2\"; or write apiVersion: %s", kubeadmV1beta4)
		}
	}
}

// validateSkips knows the phases of kubeadm init and of bootstrap init.
func (b *builder) validateSkips() {
	for i, name := range b.docs.init.SkipPhases {
		for _, why := range strangers("there is no phase", []string{name}, list("values/phases.txt")) {
			b.bad(at("skipPhases", i), "%s", why)
		}
	}
}
