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

// lists are words that programs know, each file of one of four kinds: flags and their types, of the newest minor,
// made by scripts/components/flags; what values name in each minor, made by scripts/components/gates; the fields of
// documents, kept by tests; and values, written by hand after the validation of the programs.
//
//go:embed flags fields minors values
var lists embed.FS

// list are the lines of a file such as fields/kubelet.txt.
func list(file string) []string { return slices.Sorted(maps.Keys(table(file))) }

// table has the further words of each line by its first one. Lines that begin with # are for the reader.
func table(file string) map[string][]string {
	text, _ := lists.ReadFile(file) // it is in this program
	all := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); words[0] != "#" {
			all[words[0]] = words[1:]
		}
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

var flagName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)

// validateFlagNames refuses flags that the program does not have. Those of an etcd of another release are not known.
func (b *builder) validateFlagNames(c *Config, p program) {
	if p.ExtraArgs == nil {
		return
	}
	m, _ := minorOf(c.KubernetesVersion)
	types, isOther := m.flagTypes(p.name), p.name == "etcd" && !strings.HasSuffix(c.Images.Etcd, "/etcd:"+m.etcdTag)
	for i, a := range p.ExtraArgs {
		field := at(p.field, i) + ".name"
		switch {
		case !flagName.MatchString(a.Name):
			b.bad(field, "%q is no flag name: write it without dashes, and what follows = as value", a.Name)
		case types[a.Name] == nil && !isOther:
			b.bad(field, "%s of Kubernetes 1.%d has no flag %q%s", p.name, m.number, a.Name, m.nearFlag(a.Name, types))
		}
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
