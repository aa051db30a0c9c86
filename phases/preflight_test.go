package phases

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"

	"bootstrap/phases/plan"
)

// TestFoundIDs: whatever phases find has an entry.
func TestFoundIDs(t *testing.T) {
	call := regexp.MustCompile(`ound\((?:all|\w+\.Catalogue), "([^"]+)"`)
	used := map[string]bool{}
	for _, file := range sources(t) {
		if file.pkg == "phases" || file.pkg == "phases/observe" {
			for _, m := range call.FindAllStringSubmatch(readSource(t, file.file), -1) {
				used[m[1]] = true
			}
		}
	}
	for id := range used {
		if _, known := catalogue(t).Find(id); !known {
			t.Errorf("found %q, which is in no catalogue", id)
		}
	}
	for _, entry := range catalogue(t).Checks() {
		if entry.Check == nil && !used[entry.ID] {
			t.Errorf("nobody finds %s", entry.ID)
		}
	}
}

func readSource(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile("../" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestPreflightFailures: what preflight finds is shown one by one.
func TestPreflightFailures(t *testing.T) {
	found := []error{errors.New("one"), plan.Hint(errors.New("two"), "try")}
	got := plan.Failures(fmt.Errorf("phase preflight: %w", plan.Refused(errors.Join(found...))))
	if !slices.Equal(got, found) {
		t.Errorf("%q", got)
	}
}
