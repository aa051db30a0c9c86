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
	"strings"

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
	Check func(*Machine) Findings
	Cause func(*Evidence) Findings

	// Enforced entries can't be ignored: init does not work past them.
	Enforced bool
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

// Catalogue is every entry, in causal order: what comes first can be the reason for what
// comes after.
type Catalogue []Entry

// ReadCatalogue joins the texts with their rules.
func ReadCatalogue() Catalogue {
	texts, _ := readTexts(catalogueYAML) // they are of this program: TestEveryRuleHasItsText has read them
	rules := map[string]Rule{}
	for _, topic := range topics() {
		maps.Copy(rules, topic)
	}
	all := make(Catalogue, 0, len(texts))
	for _, t := range texts {
		all = append(all, Entry{Text: t, Rule: rules[t.ID]})
	}
	return all
}

func readTexts(data []byte) (texts []Text, err error) {
	err = yaml.UnmarshalStrict(data, &texts)
	return texts, err
}

// topics are the rules of all entries, by ID.
func topics() []map[string]Rule {
	return []map[string]Rule{
		systemRules(), diskRules(), kernelRules(), networkRules(), nameRules(), foreignRules(), takenRules(), podURLRules(),
		runtimeRules(), kubeletRules(), manifestRules(), podRules(), certificateRules(), etcdRules(), componentRules(), addonRules(),
	}
}

// Find gives the entry of an ID.
func (c Catalogue) Find(id string) (Entry, bool) {
	i := slices.IndexFunc(c, func(e Entry) bool { return e.ID == id })
	if i < 0 {
		return Entry{}, false
	}
	return c[i], true
}

// Preflight is what is wrong with a machine before init, in causal order.
func (c Catalogue) Preflight(m *Machine) []Finding {
	return forEach(c, func(e Entry) Findings {
		if e.Check == nil {
			return nil
		}
		return e.complete(e.Check(m))
	})
}

// Checks are the entries that are looked for before init.
func (c Catalogue) Checks() []Entry {
	return slices.DeleteFunc(slices.Clone(c), func(e Entry) bool { return e.Check == nil })
}

// Causes are what the evidence proves, or makes probable, in causal order.
func (c Catalogue) Causes(e *Evidence) []Finding {
	return forEach(c, func(entry Entry) Findings {
		if entry.Cause == nil {
			return nil
		}
		entry.Remedy = entry.remedyFor(e.Settings)
		return entry.complete(entry.Cause(e))
	})
}

// Found makes what somebody else has found the finding of an entry.
func (c Catalogue) Found(id string, f Finding) Finding {
	entry, _ := c.Find(id)
	f.ID = id
	f.Remedy = cmp.Or(f.Remedy, entry.Remedy)
	return f
}

// NoKnownCause is the entry of a wait that no other explains.
const NoKnownCause = "no-known-cause"

// Unexplained is the finding for a wait that came to nothing and that no entry explains:
// the shortest of the evidence that is useful.
func (c Catalogue) Unexplained(e *Evidence, what string) Finding {
	entry, _ := c.Find(NoKnownCause)
	found := Finding{Level: Warning, What: what, Remedy: entry.remedyFor(e.Settings), See: "bootstrap support", Excerpt: excerpt(e.summary())}
	return c.Found(entry.ID, found)
}

// remedyFor is another where what is looked at is the user's: neither init nor reset mends that.
func (e Entry) remedyFor(s Settings) string {
	if s.Pod != "" || s.Standalone {
		return cmp.Or(e.Mend, e.Remedy)
	}
	return e.Remedy
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

// complete adds what the entry says in general, and makes readable what programs wrote.
func (e Entry) complete(found Findings) Findings {
	for i, f := range found {
		found[i].ID = e.ID
		found[i].What = readable(strings.ReplaceAll(f.What, `\"`, `"`)) // as logs put it
		found[i].Remedy = cmp.Or(f.Remedy, e.Remedy)
		found[i].Excerpt = excerpt(f.Excerpt)
	}
	return found
}
