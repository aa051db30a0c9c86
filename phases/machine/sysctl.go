package machine

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// BootSetting is a kernel setting that systemd-sysctl makes at boot.
type BootSetting struct {
	Name  string // with slashes; it may be a pattern
	Value string // empty: patterns leave it alone
	File  string
}

// sysctlDirs are where files of kernel settings lie.
var sysctlDirs = []string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"}

// BootSettings are the kernel settings of a boot in systemd's order, if one file held that text: files are read by
// their names.
// https://github.com/systemd/systemd/blob/v257/src/sysctl/sysctl.c
func (m Machine) BootSettings(file, text string) (all []BootSetting) {
	order := func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) }
	files := slices.DeleteFunc(m.confFiles(sysctlDirs), func(other string) bool { return order(file, other) == 0 })
	files = append(files, file)
	slices.SortFunc(files, order)
	for _, f := range files {
		content := text
		if f != file {
			content = m.read(f) // one that can't be read does not count at boot either
		}
		for line := range strings.Lines(content) {
			all = withSetting(all, line, f)
		}
	}
	return all
}

// withSetting adds what a line sets. Of two settings with one name the last counts, at its own place; one that
// only says again what was said stays at the first. A minus before the name says that it may fail, or, without
// a value, that patterns are not for it.
func withSetting(all []BootSetting, line, file string) []BootSetting {
	name, value, found := strings.Cut(strings.TrimSpace(line), "=")
	bare, minus := strings.CutPrefix(strings.TrimSpace(name), "-")
	s := BootSetting{strings.ReplaceAll(strings.TrimSpace(bare), ".", "/"), strings.TrimSpace(value), file}
	i := slices.IndexFunc(all, func(before BootSetting) bool { return before.Name == s.Name })
	switch {
	case s.Name == "", strings.ContainsAny(s.Name[:1], "#;"), !found && !minus, i >= 0 && all[i].Value == s.Value:
		return all
	case i >= 0:
		all = slices.Delete(all, i, i+1)
	}
	return append(all, s)
}

// Sets tells whether the setting, one of all, is made under that name. Patterns pass over names that have a
// setting of their own.
func (s BootSetting) Sets(name string, all []BootSetting) bool {
	matches, _ := path.Match(s.Name, name) // one that is malformed matches nothing
	hasOwn := slices.ContainsFunc(all, func(other BootSetting) bool { return other.Name == name })
	return s.Value != "" && (s.Name == name || matches && !hasOwn)
}
