// Package plantest helps tests to see what is told and which errors come. It must not be
// imported outside of tests.
package plantest

import (
	"strings"
	"testing"

	"bootstrap/phases/plan"
)

// CheckError wants an error that contains each of the texts, in its hint as well.
func CheckError(t testing.TB, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	message := err.Error()
	if hint := plan.HintOf(err); hint != "" {
		message += "; hint: " + hint
	}
	for _, text := range want {
		if !strings.Contains(message, text) {
			t.Errorf("%q lacks %q", message, text)
		}
	}
}
