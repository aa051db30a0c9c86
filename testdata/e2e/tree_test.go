package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// unwatched is what changes on any machine that runs, whatever bootstrap does:
// kernel and boot-time file systems, temporary files, logs, systemd's state
// (timers, random seed), and a cache of ldconfig and man.
var unwatched = []string{
	"/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp", "/var/log/journal",
	"/var/log/wtmp", "/var/lib/systemd", "/var/cache",
}

// tree is path -> kind, mode, owner, and content of every file of a node.
type tree map[string]string

// Tree lists the files below dir. Content is a hash, of files under 128 MiB.
func (n *Node) Tree(dir string, extra ...string) tree {
	n.t.Helper()
	script := "find " + dir + " \\( -path " + strings.Join(slices.Concat(unwatched, extra), " -o -path ") + " \\) -prune -o "
	listing := n.MustSh(script + `-printf '%p\t%y %m %U:%G %l\n'`)
	sums := n.MustSh(script + `-type f -size -128M -print0 | xargs -0 -r sha256sum --`)
	t := tree{}
	for line := range strings.Lines(listing) {
		name, facts, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		t[name] = facts
	}
	for line := range strings.Lines(sums) {
		sum, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		t[name] += sum
	}
	return t
}

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
