package config

import (
	"embed"
	"regexp"
	"slices"
	"strings"

	"bootstrap/phases/locate"
)

// lists are names, one a line: the flags of the newest minor, made by scripts/components/flags,
// the fields of Kubernetes' own documents, kept by TestFieldLists, and those of the schema.
//
//go:embed flags fields
var lists embed.FS

// list is that of a file such as flags/etcd.txt.
func list(file string) []string {
	text, _ := lists.ReadFile(file) // it is in this program
	return strings.Fields(string(text))
}

// flagNames are the flags of a component in that minor.
func (m minor) flagNames(component string) []string {
	newest := list("flags/" + component + ".txt")
	known := slices.DeleteFunc(newest, func(name string) bool { return flagSince[name] > m.number })
	if component == "kubelet" && m.number <= 34 {
		known = append(known, podInfraFlag)
	}
	return known
}

// validateArgs refuses flags that the program does not have, or that something else decides.
func (b *builder) validateArgs(c *Config, field, program string, args []Arg, rules []decided) {
	m, _ := minorOf(c.KubernetesVersion)
	known := m.flagNames(program)
	if program == "etcd" && !strings.HasSuffix(c.Images.Etcd, "/etcd:"+m.etcdTag) {
		known = nil // another etcd, whose flags are not known here
	}
	for i, a := range args {
		field := at(field, i)
		b.validateFlag(field, a, rules)
		if known != nil && flagName.MatchString(a.Name) && !slices.Contains(known, a.Name) {
			b.bad(field+".name", "%s of Kubernetes 1.%d has no flag %q%s", program, m.number, a.Name, locate.DidYouMean(a.Name, known))
		}
	}
}

var flagName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)

func (b *builder) validateFlag(field string, a Arg, rules []decided) {
	b.badIf(!flagName.MatchString(a.Name), field+".name", "%q is no flag name (write it without dashes)", a.Name)
	if !isText(a.Value) {
		b.bad(field+".value", "that of %s holds a line break, NUL or bytes that are no text", a.Name)
		return
	}
	for _, r := range rules {
		if why := r.refusal(a.Value); r.field == a.Name && why != "" {
			b.bad(field+".value", "%s: %s", a.Name, why)
		}
	}
}
