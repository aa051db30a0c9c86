package cluster

import "strings"

// failedChecks picks the failed lines, "[-]name failed: reason", out of a
// verbose health answer; without any, it gives the whole answer on one line.
func failedChecks(body string) string {
	var failed []string
	for line := range strings.Lines(body) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "[-]"); ok {
			failed = append(failed, name)
		}
	}
	if len(failed) == 0 {
		return strings.Join(strings.Fields(body), " ")
	}
	return strings.Join(failed, ", ")
}
