// Package diagnose holds the catalogue of what can be wrong with a machine that is, or
// is to become, a control plane: each entry with the evidence that proves it and the
// remedy. It decides only, by evidence that others gathered: it must not change the
// machine, and knows neither config file nor ledger.
package diagnose

import (
	"cmp"
	"slices"
)

// Level says what follows from a finding.
type Level string

// The levels.
const (
	Error   Level = "error"   // it can't work like this: preflight refuses, a wait ends
	Warning Level = "warning" // it may be why: shown, and work goes on
)

// Entry is one thing that can be wrong, under an ID that stays. Before init it is
// found by Check, later by Cause; an entry may have both. One of decidedEntries is found
// by preflight too, which decides by more than facts, and says so with Entry.Found.
type Entry struct {
	ID     string // kebab-case, as in "bootstrap explain ID"
	Title  string // what it is, in one line
	Means  string // what follows from it, and how it comes about
	Remedy string // what to do, in general; a Finding is more precise
	Mend   string // Remedy where it is a static pod of the user's; empty if that will do
	Link   string // where more is written, if anywhere

	Check func(*Machine) []Finding
	Cause func(*Evidence) []Finding
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

// Catalogue is every entry, in causal order: what comes first can be the reason for
// what comes after.
func Catalogue() []Entry {
	return slices.Concat(
		machineEntries(),
		preflightEntries(),
		processEntries(),
		runtimeEntries(),
		kubeletEntries(),
		manifestEntries(),
		podEntries(),
		certificateEntries(),
		etcdEntries(),
		componentEntries(),
		apiServerEntries(),
		networkEntries(),
		fileEntries(),
		unexplainedEntries(),
	)
}

// Find gives the entry of an ID.
func Find(id string) (Entry, bool) {
	all := Catalogue()
	i := slices.IndexFunc(all, func(e Entry) bool { return e.ID == id })
	if i < 0 {
		return Entry{}, false
	}
	return all[i], true
}

// Preflight is what is wrong with a machine before init, in the catalogue's order.
func Preflight(m *Machine) []Finding {
	var found []Finding
	for _, entry := range Catalogue() {
		if entry.Check != nil {
			found = append(found, entry.all(entry.Check(m))...)
		}
	}
	return found
}

// Checks are the entries that are looked for before init.
func Checks() []Entry {
	checks := slices.DeleteFunc(Catalogue(), func(e Entry) bool { return e.Check == nil })
	return append(checks, decidedEntries()...)
}

// InOrder sorts findings as the catalogue has them.
func InOrder(found []Finding) []Finding {
	place := map[string]int{}
	for i, entry := range Catalogue() {
		place[entry.ID] = i
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return place[a.ID] - place[b.ID] })
	return found
}

// Causes are what the evidence proves, or makes probable, in the catalogue's order.
func Causes(e *Evidence) []Finding {
	var found []Finding
	for _, entry := range Catalogue() {
		if entry.Cause != nil {
			if e.Settings.Pod != "" {
				entry.Remedy = cmp.Or(entry.Mend, entry.Remedy)
			}
			found = append(found, entry.all(entry.Cause(e))...)
		}
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
	if f.Remedy == "" {
		f.Remedy = e.Remedy
	}
	return f
}

func (e Entry) all(found []Finding) []Finding {
	for i := range found {
		found[i] = e.Found(found[i])
	}
	return found
}
