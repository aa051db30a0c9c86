package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

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
	text, _ := lists.ReadFile("values/together.yaml")    // it is in this program
	if err := yaml.Unmarshal(text, &rules); err != nil { // TestTogether reads it
		panic(err)
	}
	return rules
}

// settings are what a program is told, of one name the last counts.
type settings []setting

// validateTogether refuses settings of a program that do not go with each other, or not without another.
func (b *builder) validateTogether(rules []rule, name string, given settings) {
	for _, r := range rules {
		if r.Program != "" && r.Program != name {
			continue
		}
		for _, s := range given.all(r.If) {
			b.refuse(s, r.refusals(s, given))
		}
		if limit := r.Below + r.AtMost; limit != "" {
			b.validateOrder(r, given.all(r.If), given.all(limit))
		}
	}
}

func (r rule) refusals(s setting, given settings) (found []refusal) {
	isGiven := func(name string) bool { return len(given.all(name)) > 0 }
	if r.Needs != nil && !slices.ContainsFunc(r.Needs, isGiven) {
		found = refuseIf(true, "%s", cmp.Or(r.Why, "it needs "+strings.Join(r.Needs, " or ")+" as well"))
	}
	if i := slices.IndexFunc(r.Excludes, isGiven); i >= 0 {
		found = refuseIf(true, "%s", cmp.Or(r.Why, "it can't stand beside "+r.Excludes[i]+": leave out one of them"))
	}
	for _, p := range pairs(strings.ReplaceAll(s.value, "<", "="), "=") {
		found = slices.Concat(found, refuseIf(r.KeysOf != "" && !isGiven(r.KeysOf+"="+p.name), "%s needs an entry in %s", p.name, r.KeysOf))
	}
	return found
}

// all are those that a rule names.
func (given settings) all(name string) settings {
	name, word, hasWord := strings.Cut(name, "=")
	prefix, isPrefix := strings.CutSuffix(name, "*")
	return slices.DeleteFunc(slices.Clone(given), func(s setting) bool {
		isNamed := s.name == name || isPrefix && strings.HasPrefix(s.name, prefix)
		return !isNamed || hasWord && !s.has(word) || !hasWord && s.value == ""
	})
}

// has tells whether a value is a word, or is a list that has it, or an entry of that name.
func (s setting) has(word string) bool {
	isWord := func(each string) bool { return each == word || strings.HasPrefix(each, word+"=") && word != "" }
	return isSame(s.value, word) || slices.ContainsFunc(words(s.value), isWord)
}

// validateOrder compares two settings, of which one may have its default, and tells at the one that is given.
func (b *builder) validateOrder(r rule, less, more settings) {
	least, most := setting{value: r.Defaults[0]}, setting{value: r.Defaults[1]}
	for _, each := range less {
		least = each
	}
	for _, each := range more {
		most = each
	}
	small, large := cmp.Or(r.Times, 1)*measure(least.value), measure(most.value)
	if small < large || small == large && r.Below == "" {
		return
	}
	why := fmt.Sprintf("%s (%s) must be less than %s (%s)", r.If, least.value, r.Below+r.AtMost, most.value)
	if r.Times > 0 {
		why = fmt.Sprintf("%g times %s", r.Times, why)
	}
	for _, each := range slices.Concat(less, more) {
		b.refuse(each, []refusal{{why: why}})
		return
	}
}

// measure is a number, or a duration in nanoseconds.
func measure(text string) float64 {
	if d, err := time.ParseDuration(text); err == nil && text != "0" {
		return float64(d)
	}
	return number(text)
}
