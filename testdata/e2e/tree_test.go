package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// tree is path -> kind, mode, owner, and content of every file of a node.
type tree map[string]string

// diff lists what differs, sorted; - is only in t, + only in the other.
func (t tree) diff(other tree) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(t)) {
		if facts, ok := other[name]; !ok {
			lines = append(lines, fmt.Sprintf("- %s  %s", name, t[name]))
		} else if facts != t[name] {
			lines = append(lines, fmt.Sprintf("- %s  %s", name, t[name]), fmt.Sprintf("+ %s  %s", name, facts))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(other)) {
		if _, ok := t[name]; !ok {
			lines = append(lines, fmt.Sprintf("+ %s  %s", name, other[name]))
		}
	}
	return lines
}

// SameTree fails when anything differs.
func (n *Node) SameTree(what string, before, after tree) {
	n.t.Helper()
	if len(before) == 0 {
		n.t.Fatalf("%s: nothing to compare", what)
	}
	if lines := before.diff(after); len(lines) > 0 {
		n.t.Errorf("%s:\n%s", what, strings.Join(lines, "\n"))
	}
}

// without leaves out what lies in the folders.
func (t tree) without(dirs ...string) tree {
	rest := tree{}
	for name, facts := range t {
		in := func(dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }
		if !slices.ContainsFunc(dirs, in) {
			rest[name] = facts
		}
	}
	return rest
}
