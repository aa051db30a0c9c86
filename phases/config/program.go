package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	cliflag "k8s.io/component-base/cli/flag"

	"bootstrap/phases/locate"
)

// program is one that the config file says something to: by flags, volumes and variables, or by a document.
type program struct {
	name, field string // the field is that of its flags
	Component
	decided  []decided
	kind     string         // of its document, empty for what runs in a static pod
	document map[string]any // nil without
}

func (c *Config) programs() []program {
	etcd, kubelet := Component{ExtraArgs: c.Etcd.ExtraArgs, ExtraEnvs: c.Etcd.ExtraEnvs}, Component{ExtraArgs: c.KubeletExtraArgs}
	return []program{
		{"etcd", "etcd.local.extraArgs", etcd, c.etcdRules(), "", nil},
		{"kube-apiserver", "apiServer.extraArgs", c.APIServer, c.apiServerRules(), "", nil},
		{"kube-controller-manager", "controllerManager.extraArgs", c.ControllerManager, c.controllerManagerRules(), "", nil},
		{"kube-scheduler", "scheduler.extraArgs", c.Scheduler, nil, "", nil},
		{"kubelet", "nodeRegistration.kubeletExtraArgs", kubelet, c.kubeletRules(), kubeletKind, c.Kubelet},
		{"kube-proxy", "", Component{}, c.kubeProxyRules(), kubeProxyKind, c.KubeProxy},
	}
}

// beside is another field of the program, such as apiServer.extraVolumes.
func (p program) beside(name string) string { return strings.TrimSuffix(p.field, "extraArgs") + name }

// validatePrograms refuses what would keep a program from starting, or from being reached.
func (b *builder) validatePrograms(c *Config) {
	m, _ := minorOf(c.KubernetesVersion)
	all := sync.OnceValue(readRules)
	for _, p := range c.programs() {
		b.validateFlagNames(c, p)
		given := slices.Concat(b.fieldSettings(p), b.flagSettings(m, p)) // flags of the kubelet go before its fields
		taken := slices.DeleteFunc(slices.Clone(given), func(s setting) bool { return b.refuse(s, m.judgeSetting(s, p.decided)) })
		if len(given) > 0 {
			b.validateRules(all().of(p.name), taken, given)
		}
		b.warnOfValues(p.name, taken)
		if p.kind == "" {
			b.validateEnvs(p.beside("extraEnvs"), p.ExtraEnvs)
			b.validateVolumes(p.beside("extraVolumes"), p.ExtraVolumes, c.OwnVolumes(p.name))
			b.validateFiles(c, p)
		}
	}
}

// setting is a flag or a field of a document: what a program is told.
type setting struct {
	name, value string     // the name is the field's, also for a flag of the kubelet that stands for one
	forms       [][]string // of the value: see values.go
	line        int
	where       string // in messages
}

// settings are those of a program; of one name the last counts.
type settings []setting

// flagSettings are the flags of a program. Of one that is given several times lists add up, and stand at the last.
func (b *builder) flagSettings(m minor, p program) (all settings) {
	if p.ExtraArgs == nil {
		return nil // most say nothing, and reading the lists takes time
	}
	types, forms, fields := m.flagTypes(p.name), table("values/flags.txt"), table("values/"+p.name+".txt")
	if p.name == "etcd" {
		forms, fields = fields, nil
	}
	for i, a := range p.ExtraArgs {
		field := at(p.field, i) + ".value"
		s := setting{a.Name, a.Value, [][]string{types[a.Name], forms[a.Name]}, b.docs.line(field), field + ": " + a.Name}
		for field, words := range fields {
			if words[0] == a.Name {
				s.name, s.forms = field, append(s.forms, words[1:])
			}
		}
		if a.Name == "feature-gates" && Argument(p.ExtraArgs, "emulated-version") != "" {
			s.forms = nil // another version has other gates
		}
		isList := slices.ContainsFunc(s.forms, func(form []string) bool {
			return len(form) > 0 && slices.Contains([]string{"list", "set", "pairs", "gates"}, form[0])
		})
		if i := slices.IndexFunc(all, func(other setting) bool { return other.name == s.name }); isList && i >= 0 {
			s.value = all[i].value + "," + s.value
			all = slices.Delete(all, i, i+1)
		}
		all = append(all, s)
	}
	return all
}

// fieldSettings are those fields of a program's document that values/ has, and those that are decided elsewhere.
func (b *builder) fieldSettings(p program) (all settings) {
	if p.document == nil {
		return nil
	}
	known := table("values/" + p.name + ".txt")
	for _, d := range p.decided {
		if known[d.field] == nil {
			known[d.field] = []string{"-", "any"}
		}
	}
	for _, field := range slices.Sorted(maps.Keys(known)) {
		value, isGiven, _ := unstructured.NestedFieldNoCopy(p.document, strings.Split(field, ".")...) // it was read strictly
		text, form := textIn(value), known[field][1:]
		switch {
		case text == "":
			form = nil // it is as by default
		case form[0] == "pairs":
			form[1] = "=" // a flag may have another sign
		}
		if isGiven {
			all = append(all, setting{field, text, [][]string{form}, locate.Line(b.docs.roots[p.kind], field), field})
		}
	}
	return all
}

// refuse tells what is wrong with a setting, if anything is.
func (b *builder) refuse(s setting, whys []string) bool {
	for _, why := range whys {
		b.found(s.line, s.where+": "+why)
	}
	return len(whys) > 0
}

// warnOfValues tells of what programs take, and call insecure or pass over.
func (b *builder) warnOfValues(program string, given settings) {
	for _, s := range given {
		for _, insecure := range cliflag.InsecureTLSCipherNames() {
			if slices.Contains(words(s.value), insecure) {
				b.docs.warn(s.line, s.where+": "+insecure+" is insecure: leave it out")
			}
		}
		if program == "kubelet" && s.name == "cgroupsPerQOS" && isSame(s.value, "false") {
			b.docs.warn(s.line, s.where+": no pod starts in a runtime that has systemd make cgroups, as the bundle's containerd does")
		}
	}
}

// rule is one of values/together.yaml, which says what the fields mean.
type rule struct {
	Program  string
	If       string
	Unless   string
	Needs    []string
	Excludes []string
	KeysOf   string `yaml:"keysOf"`
	ApartOf  string `yaml:"apartOf"`
	Below    string
	AtMost   string `yaml:"atMost"`
	Times    float64
	Defaults [2]string
	Why      string
}

type rules []rule

func readRules() (all rules) {
	text, _ := lists.ReadFile("values/together.yaml") // it is in this program
	_ = yaml.Unmarshal(text, &all)                    // TestTogether reads it strictly
	return all
}

// of are those of one program, and those of all.
func (all rules) of(program string) rules {
	return slices.DeleteFunc(slices.Clone(all), func(r rule) bool { return r.Program != "" && r.Program != program })
}

// validateRules refuses settings that do not go with another, or not without one. taken are those of the given whose
// values are right by themselves.
func (b *builder) validateRules(all rules, taken, given settings) {
	for _, r := range all {
		if r.Unless != "" && len(given.all(r.Unless)) > 0 {
			continue
		}
		for _, s := range taken.all(r.If) {
			b.refuse(s, r.judge(s, given))
		}
		if limit := r.Below + r.AtMost; limit != "" {
			b.validateOrder(r, given.all(r.If), given.all(limit))
		}
	}
}

// judge says why a setting that the rule is for does not go with the others.
func (r rule) judge(s setting, given settings) (whys []string) {
	isGiven := func(name string) bool { return len(given.all(name)) > 0 }
	if r.Needs != nil && !slices.ContainsFunc(r.Needs, isGiven) {
		return []string{cmp.Or(r.Why, "it needs "+strings.Join(r.Needs, " or ")+" as well")}
	}
	if i := slices.IndexFunc(r.Excludes, isGiven); i >= 0 {
		return []string{cmp.Or(r.Why, "it can't stand beside "+r.Excludes[i]+": leave out one of them")}
	}
	for _, p := range pairs(strings.ReplaceAll(s.value, "<", "="), "=") {
		isMissing := r.KeysOf != "" && !isGiven(r.KeysOf+"="+p.name)
		whys = append(whys, whyIf(isMissing, "%s needs an entry in %s", p.name, r.KeysOf)...)
		isTwice := r.ApartOf != "" && isGiven(r.ApartOf+"="+p.name)
		whys = append(whys, whyIf(isTwice, "%s is in %s as well: leave it out of one of them", p.name, r.ApartOf)...)
	}
	return whys
}

// all are those that a rule names.
func (given settings) all(name string) settings {
	name, word, hasWord := strings.Cut(name, "=")
	prefix, isPrefix := strings.CutSuffix(name, "*")
	return slices.DeleteFunc(slices.Clone(given), func(s setting) bool {
		isNamed := s.name == name || isPrefix && strings.HasPrefix(s.name, prefix)
		isWord := func(each string) bool { return each == word || strings.HasPrefix(each, word+"=") && word != "" }
		has := slices.ContainsFunc(append(words(s.value), normal(s.value)), isWord)
		return !isNamed || hasWord && !has || !hasWord && s.value == ""
	})
}

// lastOr is the last value, which counts, or what it is by default.
func (given settings) lastOr(byDefault string) string {
	if len(given) == 0 {
		return byDefault
	}
	return given[len(given)-1].value
}

// validateOrder compares two settings, of which one may have its default, and tells at the one that is given.
func (b *builder) validateOrder(r rule, less, more settings) {
	least, most, must := less.lastOr(r.Defaults[0]), more.lastOr(r.Defaults[1]), "must be less than"
	if r.AtMost != "" {
		must = "must not be more than"
	}
	small, large := cmp.Or(r.Times, 1)*measure(least), measure(most)
	isOrdered := small < large || small == large && r.AtMost != ""
	why := fmt.Sprintf("%s (%s) %s %s (%s)", r.If, least, must, r.Below+r.AtMost, most)
	if r.Times > 0 {
		why = fmt.Sprintf("%g times %s", r.Times, why)
	}
	if at := slices.Concat(less, more); len(at) > 0 {
		b.refuse(at[0], whyIf(!isOrdered, "%s", why))
	}
}
