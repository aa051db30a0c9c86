package cluster

import (
	"errors"
	"strings"
)

// UnhealthyError is the API server's own word that it is not healthy.
type UnhealthyError struct {
	Path   string
	Status int
	Failed []string // the names of its checks that fail
}

func (e *UnhealthyError) Error() string {
	return e.Path + " fails: " + strings.Join(e.Failed, ", ")
}

// failedChecks picks the names out of the failed lines, "[-]name failed: reason
// withheld", of a health answer; without any, it gives the whole answer.
func failedChecks(body string) []string {
	var failed []string
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "[-]"); ok {
			name, _, _ := strings.Cut(rest, " ")
			failed = append(failed, name)
		}
	}
	if len(failed) == 0 {
		return []string{strings.Join(strings.Fields(body), " ")}
	}
	return failed
}

// IsUnhealthy tells whether an error is the API server's own word that it is not healthy.
func IsUnhealthy(err error) bool { return errors.As(err, new(*UnhealthyError)) }
