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

// lists are names, one a line: the flags of the newest minor with their types, made by
// scripts/components/flags, what their values may name in each minor, made by
// scripts/components/gates, the fields of Kubernetes' own documents, kept by TestFieldLists,
// and those of the schema.
//
//go:embed flags fields minors
var lists embed.FS

// list are the words of a file such as flags/etcd.txt.
func list(file string) []string {
	text, _ := lists.ReadFile(file) // it is in this program
	return strings.Fields(string(text))
}

// flagTypes are the flags of a component in that minor, and of which type each is.
func (m minor) flagTypes(component string) map[string]string {
	types := map[string]string{}
	for pair := range slices.Chunk(list("flags/"+component+".txt"), 2) {
		if flagSince[pair[0]] <= m.number {
			types[pair[0]] = pair[1]
		}
	}
	if component == "kubelet" && m.number <= 34 {
		types[podInfraFlag] = "string"
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
		kind, known := types[a.Name]
		switch {
		case !flagName.MatchString(a.Name):
			b.bad(field+".name", "%q is no flag name: write it without dashes, and what follows = as value", a.Name)
		case types != nil && !known:
			b.bad(field+".name", "%s of Kubernetes 1.%d has no flag %q%s", program, m.number, a.Name, m.nearFlag(a.Name, types))
		}
		reasons := c.unfit(program, kind, a)
		if len(reasons) == 0 {
			reasons = refusals(a, rules)
		}
		b.validateFlag(field, a, reasons)
	}
	if program != "etcd" { // which has gates of its own
		b.validateFlagGates(m, field, args)
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

// refusals are those of what something else decides.
func refusals(a Arg, rules []decided) (all []string) {
	for _, r := range rules {
		if why := r.refusal(a.Value); r.field == a.Name && why != "" {
			all = append(all, why)
		}
	}
	return all
}

// kubeadmFlags are flags of kubeadm init that people give to a component, and their fields.
var kubeadmFlags = map[string]string{
	"pod-network-cidr": "networking.podSubnet", "service-cidr": "networking.serviceSubnet", "service-dns-domain": "networking.dnsDomain",
	"apiserver-advertise-address": "localAPIEndpoint.advertiseAddress", "apiserver-bind-port": "localAPIEndpoint.bindPort",
	"apiserver-cert-extra-sans": "apiServer.certSANs", "control-plane-endpoint": "controlPlaneEndpoint", "cri-socket": "nodeRegistration.criSocket",
}

// nearFlag says what was meant by a flag that a component does not have.
func (m minor) nearFlag(name string, types map[string]string) string {
	if field := kubeadmFlags[name]; field != "" {
		return fmt.Sprintf(": it is one of kubeadm, set %s instead", field)
	}
	var owners []string
	for _, other := range components {
		if _, has := m.flagTypes(other)[name]; has {
			owners = append(owners, other)
		}
	}
	if len(owners) > 0 {
		return ", it is one of " + strings.Join(owners, " and ")
	}
	return locate.DidYouMean(name, slices.Sorted(maps.Keys(types)))
}

var components = []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "etcd"}
