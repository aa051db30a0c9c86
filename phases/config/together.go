package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// rule is one of values/together.yaml, which says what the fields mean.
type rule struct {
	Program  string
	If       string
	Needs    []string
	Excludes []string
	KeysOf   string `yaml:"keysOf"`
	Below    string
	AtMost   string `yaml:"atMost"`
	Times    float64
	Defaults [2]string
	Why      string
}

func readRules() (rules []rule) {
	text, _ := lists.ReadFile("values/together.yaml") // it is in this program
	_ = yaml.Unmarshal(text, &rules)                  // TestTogether reads it strictly
	return rules
}

// validateRules refuses settings that do not go with another, or not without one. taken are those of the given whose
// values are right by themselves.
func (b *builder) validateRules(program string, taken, given settings) {
	for _, r := range readRules() {
		if r.Program != "" && r.Program != program {
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
		has := s.value != ""
		if hasWord {
			has = isSame(s.value, word) || slices.ContainsFunc(words(s.value), isWord)
		}
		return !isNamed || !has
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
