package config

import (
	"embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"bootstrap/phases/locate"
)

// lists are words of components and documents: flags and their types, of the newest minor, made by
// scripts/components/flags; what their values name in each minor, made by scripts/components/gates;
// the fields of Kubernetes' own documents, kept by TestFieldLists, and those of the schema; what
// flags and fields may be, by the validation of the components, written by hand.
//
//go:embed flags fields minors values
var lists embed.FS

// list are the lines of a file such as fields/kubelet.txt.
func list(file string) []string { return slices.Sorted(maps.Keys(table(file))) }

// table has the further words of each line by its first one.
func table(file string) map[string][]string {
	text, _ := lists.ReadFile(file) // it is in this program
	all := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		all[words[0]] = words[1:]
	}
	return all
}

// flagTypes are the flags of a component in that minor, and of which type each is.
func (m minor) flagTypes(component string) map[string][]string {
	types := table("flags/" + component + ".txt")
	maps.DeleteFunc(types, func(name string, _ []string) bool { return flagSince[name] > m.number })
	if component == "kubelet" && m.number <= 34 {
		types[podInfraFlag] = []string{"string"}
	}
	return types
}

// validateArgs refuses flags that the program does not have, values that it does not take, and
// what something else decides.
func (b *builder) validateArgs(c *Config, field, program string, args []Arg, rules []decided) {
	m, _ := minorOf(c.KubernetesVersion)
	types := m.flagTypes(program)
	if program == "etcd" && !strings.HasSuffix(c.Images.Etcd, "/etcd:"+m.etcdTag) {
		types = nil // another etcd, whose flags are not known here
	}
	for i, a := range args {
		field := at(field, i)
		switch {
		case !flagName.MatchString(a.Name):
			b.bad(field+".name", "%q is no flag name: write it without dashes, and what follows = as value", a.Name)
		case types != nil && types[a.Name] == nil:
			b.bad(field+".name", "%s of Kubernetes 1.%d has no flag %q%s", program, m.number, a.Name, m.nearFlag(a.Name, types))
		}
		reasons := c.unfit(program, types[a.Name], a)
		for _, r := range rules {
			reasons = append(reasons, reasonIf(r.field == a.Name && r.refusal(a.Value) != "", "%s", r.refusal(a.Value))...)
		}
		b.validateFlag(field, a, reasons)
	}
}

var flagName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)

// validateFlag tells the reasons against a value, if it can be shown.
func (b *builder) validateFlag(field string, a Arg, reasons []string) {
	if !isText(a.Value) {
		b.bad(field+".value", "that of %s holds a line break, NUL or bytes that are no text", a.Name)
		return
	}
	for _, why := range reasons {
		b.bad(field+".value", "%s: %s", a.Name, why)
	}
}

// nearFlag says what was meant by a flag that a component does not have.
func (m minor) nearFlag(name string, types map[string][]string) string {
	if field := table("values/kubeadm.txt")[name]; field != nil {
		return fmt.Sprintf(": it is one of kubeadm, set %s instead", field[0])
	}
	var owners []string
	for _, other := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "etcd"} {
		if m.flagTypes(other)[name] != nil {
			owners = append(owners, other)
		}
	}
	if owners != nil {
		return ", it is one of " + strings.Join(owners, " and ")
	}
	return locate.DidYouMean(name, slices.Sorted(maps.Keys(types)))
}
