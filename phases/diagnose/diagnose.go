// Package diagnose holds the catalogue of what can be wrong with a machine that is, or
// is to become, a control plane. It decides only, by evidence that others gathered: it
// must not change the machine, and knows neither config file nor ledger.
//
// Whoever adds an entry writes its text into catalogue.yaml, at its place in the causal
// order, and its rule into the table at the head of the file about that topic, under the
// same ID: a Check finds it in a Machine before init, a Cause in Evidence while a control
// plane runs, or should. What a finding says of this machine stands in the rule.
package diagnose

import (
	"cmp"
	_ "embed" // the texts
	"maps"
	"slices"
	"sync"

	"sigs.k8s.io/yaml"
)

// Level says what follows from a finding.
type Level string

// The levels.
const (
	Error   Level = "error"   // it can't work like this: preflight refuses, a wait ends
	Warning Level = "warning" // it may be why: shown, and work goes on
)

// Entry is one thing that can be wrong, under an ID that stays.
type Entry struct {
	Text
	Rule
}

// Text is what catalogue.yaml says of an entry.
type Text struct {
	ID     string `json:"id"`     // kebab-case, as in "bootstrap explain ID"
	Title  string `json:"title"`  // what it is, in one line
	Means  string `json:"means"`  // what follows from it, and how it comes about
	Remedy string `json:"remedy"` // what to do, in general; a Finding is more precise
	Mend   string `json:"mend"`   // Remedy where it is a static pod of the user's; empty if that will do
	Link   string `json:"link"`   // where more is written, if anywhere
}

// Rule is how an entry is found: before init by Check, later by Cause; it may have both.
type Rule struct {
	Check func(*Machine) []Finding
	Cause func(*Evidence) []Finding

	// Decided entries are found by preflight itself, which decides by more than facts and
	// says so with Entry.Found. init does not work past them.
	Decided bool
}

// Finding is an entry that was found. Check and Cause leave ID and, where the entry's
// own will do, Remedy to their caller.
type Finding struct {
	ID      string   `json:"id"`
	Level   Level    `json:"level"`
	What    string   `json:"what"`              // what happened, with the file, line, flag or pod
	Remedy  string   `json:"remedy"`            // what to do about it here
	See     string   `json:"see,omitempty"`     // a command that shows more
	Excerpt []string `json:"excerpt,omitempty"` // the lines of logs that prove it
}

//go:embed catalogue.yaml
var catalogueYAML []byte

// catalogue is made once and changed by nobody. That it can be made, a test knows.
var catalogue = sync.OnceValue(func() []Entry {
	texts, err := readTexts(catalogueYAML)
	if err != nil {
		panic(err)
	}
	rules := map[string]Rule{}
	for _, topic := range topics() {
		maps.Copy(rules, topic)
	}
	all := make([]Entry, 0, len(texts))
	for _, t := range texts {
		all = append(all, Entry{Text: t, Rule: rules[t.ID]})
	}
	return all
})

func readTexts(data []byte) (texts []Text, err error) {
	err = yaml.UnmarshalStrict(data, &texts)
	return texts, err
}

// topics are the rules of all entries, by ID.
func topics() []map[string]Rule {
	return []map[string]Rule{
		systemRules(), cgroupRules(), diskRules(), clockRules(), kernelRules(), addressRules(), resolverRules(),
		nameRules(), firewallRules(), proxyRules(), foreignRules(), podURLRules(), programRules(), decidedRules(),
		processRules(), runtimeRules(), kubeletRules(), manifestRules(), podRules(), certificateRules(),
		etcdRules(), componentRules(), apiServerRules(), networkRules(), unexplainedRules(),
	}
}

// Catalogue is every entry, in causal order: what comes first can be the reason for
// what comes after.
func Catalogue() []Entry { return slices.Clone(catalogue()) }

// Find gives the entry of an ID.
func Find(id string) (Entry, bool) {
	i := slices.IndexFunc(catalogue(), func(e Entry) bool { return e.ID == id })
	if i < 0 {
		return Entry{}, false
	}
	return catalogue()[i], true
}

// Preflight is what is wrong with a machine before init, in the catalogue's order.
func Preflight(m *Machine) []Finding {
	var found []Finding
	for _, entry := range catalogue() {
		if entry.Check != nil {
			found = append(found, entry.all(entry.Check(m))...)
		}
	}
	return found
}

// Checks are the entries that are looked for before init.
func Checks() []Entry {
	return slices.DeleteFunc(Catalogue(), func(e Entry) bool { return e.Check == nil && !e.Decided })
}

// InOrder sorts findings as the catalogue has them.
func InOrder(found []Finding) []Finding {
	place := map[string]int{}
	for i, entry := range catalogue() {
		place[entry.ID] = i
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return place[a.ID] - place[b.ID] })
	return found
}

// Causes are what the evidence proves, or makes probable, in the catalogue's order.
func Causes(e *Evidence) []Finding {
	var found []Finding
	for _, entry := range catalogue() {
		if entry.Cause == nil {
			continue
		}
		if e.Settings.Pod != "" {
			entry.Remedy = cmp.Or(entry.Mend, entry.Remedy)
		}
		found = append(found, entry.all(entry.Cause(e))...)
	}
	return found
}

// First is the finding to name: the first that is certain, else the first that is
// probable. What follows from it is not named.
func First(found []Finding) (Finding, bool) {
	for _, level := range []Level{Error, Warning} {
		for _, f := range found {
			if f.Level == level {
				return f, true
			}
		}
	}
	return Finding{}, false
}

// Found completes a finding by what its entry says.
func (e Entry) Found(f Finding) Finding {
	f.ID = e.ID
	f.Remedy = cmp.Or(f.Remedy, e.Remedy)
	return f
}

func (e Entry) all(found []Finding) []Finding {
	for i := range found {
		found[i] = e.Found(found[i])
	}
	return found
}
