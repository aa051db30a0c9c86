package config

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	cliflag "k8s.io/component-base/cli/flag"

	"bootstrap/phases/locate"
)

// program is one that the config file says something to: by flags, volumes and variables, or by a document.
type program struct {
	name  string
	field string // of its flags
	Component
	decided  []decided      // of its flags
	kind     string         // of its document, empty for what runs in a static pod
	document map[string]any // nil without
}

func (c *Config) programs() []program {
	etcd := Component{ExtraArgs: c.Etcd.ExtraArgs, ExtraEnvs: c.Etcd.ExtraEnvs}
	kubelet := Component{ExtraArgs: c.KubeletExtraArgs}
	return []program{
		{"etcd", "etcd.local.extraArgs", etcd, c.etcdRules(), "", nil},
		{"kube-apiserver", "apiServer.extraArgs", c.APIServer, c.apiServerRules(), "", nil},
		{"kube-controller-manager", "controllerManager.extraArgs", c.ControllerManager, c.controllerManagerRules(), "", nil},
		{"kube-scheduler", "scheduler.extraArgs", c.Scheduler, nil, "", nil},
		{"kubelet", "nodeRegistration.kubeletExtraArgs", kubelet, c.kubeletFlagRules(), kubeletKind, c.Kubelet},
		{"kube-proxy", "", Component{}, nil, kubeProxyKind, c.KubeProxy},
	}
}

// of is the field of the config file beside that of the flags, such as apiServer.extraVolumes.
func (p program) of(name string) string { return strings.TrimSuffix(p.field, "extraArgs") + name }

// validatePrograms refuses what would keep a program from starting, or from being reached.
func (b *builder) validatePrograms(c *Config) {
	m, _ := minorOf(c.KubernetesVersion)
	rules := readRules()
	for _, p := range c.programs() {
		b.validateFlagNames(c, p)
		given := slices.Concat(b.fieldSettings(p), b.flagSettings(m, p)) // of the kubelet's, flags go before fields
		b.warnOfCiphers(given)
		taken := slices.DeleteFunc(slices.Clone(given), func(s setting) bool { return b.refuse(s, m.refusals(s)) })
		for _, r := range rules {
			if r.Program == "" || r.Program == p.name {
				b.validateRule(r, taken, given)
			}
		}
		if p.kind == "" {
			b.validateEnvs(p.of("extraEnvs"), p.ExtraEnvs)
			b.validateVolumes(p.of("extraVolumes"), p.ExtraVolumes, c.OwnVolumes(p.name))
			b.validateFiles(c, p)
		}
	}
}

// setting is a flag or a field of a document: what a program is told.
type setting struct {
	name, value string // the name is the field's, also of a flag of the kubelet that stands for one
	kinds       [][]string
	decided     []decided
	where       func(entry string) (line int, field string) // in the config file; entry is one of a mapping
}

// flagSettings are the flags of a program. Of one that is given several times lists add up, and stand at the last.
func (b *builder) flagSettings(m minor, p program) (all settings) {
	types, kinds, fields := m.flagTypes(p.name), table("values/flags.txt"), table("values/"+p.name+".txt")
	if p.name == "etcd" {
		kinds, fields = fields, nil
	}
	for i, a := range p.ExtraArgs {
		s := setting{name: a.Name, value: a.Value, kinds: [][]string{types[a.Name], kinds[a.Name]}}
		for field, words := range fields {
			if words[0] == a.Name {
				s.name, s.kinds = field, append(s.kinds, words[1:])
			}
		}
		if a.Name == "feature-gates" && Argument(p.ExtraArgs, "emulated-version") != "" {
			s.kinds = nil // another version has other gates
		}
		s.decided = slices.DeleteFunc(slices.Clone(p.decided), func(d decided) bool { return d.field != a.Name })
		s.where = func(string) (int, string) {
			field := at(p.field, i) + ".value"
			return b.docs.line(field), field + ": " + a.Name
		}
		before := slices.IndexFunc(all, func(other setting) bool { return other.name == s.name && s.isList() })
		if before >= 0 {
			s.value = all[before].value + "," + s.value
			all = slices.Delete(all, before, before+1)
		}
		all = append(all, s)
	}
	return all
}

// fieldSettings are those fields of a program's document that values/ has.
func (b *builder) fieldSettings(p program) (all settings) {
	if p.document == nil {
		return nil
	}
	known := table("values/" + p.name + ".txt")
	for _, field := range slices.Sorted(maps.Keys(known)) {
		value, isGiven, _ := unstructured.NestedFieldNoCopy(p.document, strings.Split(field, ".")...) // it was read strictly
		where := func(entry string) (int, string) { return locate.Line(b.docs.roots[p.kind], field+"."+entry), field }
		kind, sign := known[field][1:], "="
		if kind[0] == "pairs" {
			sign = kind[1]
		}
		if isGiven {
			all = append(all, setting{field, textIn(value, sign), [][]string{kind}, nil, where})
		}
	}
	return all
}

// isList tells whether values of a flag that is given several times add up.
func (s setting) isList() bool {
	return slices.ContainsFunc(s.kinds, func(kind []string) bool {
		return len(kind) > 0 && slices.Contains([]string{"list", "pairs", "gates", "labels", "apis"}, kind[0])
	})
}

// refuse tells what is wrong with a setting, if anything is.
func (b *builder) refuse(s setting, refusals []refusal) bool {
	for _, r := range refusals {
		line, field := s.where(r.entry)
		b.found(line, field+": "+r.why)
	}
	return len(refusals) > 0
}

// warnOfCiphers tells of suites that Go calls insecure, as the programs do.
func (b *builder) warnOfCiphers(given settings) {
	insecure := cliflag.InsecureTLSCipherNames()
	for _, s := range given {
		line, field := s.where("")
		for _, suite := range words(s.value) {
			if slices.Contains(insecure, suite) {
				b.docs.warn(line, field+": "+suite+" is insecure: leave it out")
			}
		}
	}
}
