package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// KernelSays is a setting's value, empty without one.
func (h *Host) KernelSays(name string) string {
	now, _ := h.SysctlValue(name)
	return now
}

// Recorded tells whether the ledger names the path as ours, and reset has not undone it.
func (h *Host) Recorded(path string) bool {
	return slices.ContainsFunc(h.Entries(), func(r Record) bool { return r.Target == path && !r.Undone })
}

// HasProgram looks where systemd's units look.
func (h *Host) HasProgram(name string) bool {
	return slices.ContainsFunc(append([]string{"/sbin", "/bin"}, programDirs...), func(dir string) bool { return h.Exists(dir + "/" + name) })
}

// Exists tells whether anything is there, be it a link to nothing.
func (h *Host) Exists(path string) bool {
	_, err := os.Lstat(h.Path(path))
	return err == nil
}

// programDirs are where programs of the machine are looked for.
var programDirs = []string{"/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/opt/bin"}

// ForeignProgram is the path of a program that bootstrap did not install, or "".
func (h *Host) ForeignProgram(name string) string {
	for _, dir := range programDirs {
		path := dir + "/" + name
		info, err := os.Stat(h.Path(path))
		if err == nil && info.Mode().IsRegular() && !h.Made(path) {
			return path
		}
	}
	return ""
}

// Made tells whether the path is there only because bootstrap made it, by whatever name:
// Fedora's /usr/local/sbin is a link to bin.
func (h *Host) Made(path string) bool {
	if h.madeAs(path) {
		return true
	}
	resolved := h.Resolve(path)
	return resolved != path && h.madeAs(resolved)
}

func (h *Host) madeAs(path string) bool {
	for _, r := range h.Entries() {
		if r.Target == path && !r.Undone && r.Before.Kind == Absent {
			return true
		}
	}
	return false
}

// AnyProgram is where a program lies, whoever installed it.
func (h *Host) AnyProgram(name string) string {
	for _, dir := range programDirs {
		if info, err := os.Stat(h.Path(dir + "/" + name)); err == nil && info.Mode().IsRegular() {
			return dir + "/" + name
		}
	}
	return ""
}

// Globs are the files of the machine that match.
func (h *Host) Globs(patterns []string) []string {
	var all []string
	root := strings.TrimSuffix(h.Path("/"), "/")
	for _, pattern := range patterns {
		found, _ := filepath.Glob(root + pattern) // the patterns are good
		for _, path := range found {
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				continue
			}
			all = append(all, strings.TrimPrefix(path, root))
		}
	}
	return all
}

// OwnTrees takes folders as ours, save what is in them already.
func (h *Host) OwnTrees(paths ...string) error {
	for _, path := range paths {
		if err := h.OwnTree(path); err != nil {
			return err
		}
	}
	return nil
}
