package kill

import (
	"fmt"
	"path/filepath"
	"strings"
)

// causes are the errors that calls are made to return, and how they must be told.
var causes = map[string]string{
	"ENOSPC": "no space left on device",
	"EIO":    "input/output error",
	"EDQUOT": "disk quota exceeded",
	"EROFS":  "read-only file system",
}

// checkError judges how a command ended after one call returned an error. Success is
// right only when all is done that was to be done.
func (p point) checkError(got outcome, struck tree) []string {
	switch got.code {
	case 0:
		return prefix("exit code 0, but: ", p.unfinished(struck))
	case 1:
		return p.checkMessage(got.stdout + got.stderr)
	case 2:
		return append(p.checkMessage(got.stdout+got.stderr), prefix("exit code 2, but: ", struck.exactly(p.start))...)
	}
	return []string{fmt.Sprintf("exit code %d: %s", got.code, got.stderr)}
}

// unfinished is what the command had yet to do. The lock file may stay where removing
// it failed: the next command takes it over.
func (p point) unfinished(struck tree) []string {
	if strings.HasPrefix(p.calls[p.index].path, lockFile) {
		delete(struck, lockFile)
	}
	if p.isReset() {
		return struck.exactly(p.machine)
	}
	return struck.converged(p.start, p.end)
}

// checkMessage: an error names the cause, and the file or the ledger. Reset's list of
// what is left is part of what it prints, not of its error.
func (p point) checkMessage(output string) []string {
	var found []string
	cause := causes[strings.TrimPrefix(p.what, "error=")]
	if !strings.Contains(output, cause) {
		found = append(found, fmt.Sprintf("no %q in the error: %s", cause, output))
	}
	path := p.calls[p.index].path
	if !strings.Contains(output, name(path)) && !strings.Contains(output, "ledger") {
		found = append(found, fmt.Sprintf("neither %q nor the ledger in the error: %s", name(path), output))
	}
	return found
}

// name is what a user knows a file by: of a temporary file, the one it becomes.
func name(path string) string {
	base := filepath.Base(path)
	return strings.TrimSuffix(strings.TrimPrefix(base, "."), ".bootstrap")
}
