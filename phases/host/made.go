package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bootstrap/phases/machine"
)

// Recorded tells whether a path is in the ledger, by whatever effect.
func (h *Host) Recorded(path string) bool { return len(h.ledger.at(path)) > 0 }

// Made tells whether the path is there only because bootstrap made it, by whatever name:
// Fedora's /usr/local/sbin is a link to bin.
func (h *Host) Made(path string) bool {
	return slices.ContainsFunc(h.ledger.at(path), Record.made) || slices.ContainsFunc(h.ledger.at(h.Resolve(path)), Record.made)
}

// ForeignProgram is the path of a program that bootstrap did not install, or "".
func (h *Host) ForeignProgram(name string) string {
	for _, dir := range machine.ProgramDirs {
		if path := dir + "/" + name; h.IsProgram(path) && !h.Made(path) {
			return path
		}
	}
	return ""
}

// Globs are the files of the machine that match, without directories.
func (h *Host) Globs(patterns []string) []string {
	var all []string
	root := strings.TrimSuffix(h.Path("/"), "/")
	for _, pattern := range patterns {
		found, _ := filepath.Glob(root + pattern) // the patterns are good
		for _, path := range found {
			if info, err := os.Stat(path); err != nil || !info.IsDir() {
				all = append(all, strings.TrimPrefix(path, root))
			}
		}
	}
	return all
}
