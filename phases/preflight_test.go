package phases

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bootstrap/phases/config"
	"bootstrap/phases/config/configtest"
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

// TestPeople: what config takes of people's files, the plan and preflight's checks take too.
func TestPeople(t *testing.T) {
	for file, c := range configtest.People(t) {
		if err := CheckConfig(catalogue(t), c); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	c := &config.Config{Node: config.Node{IgnorePreflight: []string{"Port-6443", "ALL", "No-Runtime", "little-memory"}}}
	if err := CheckConfig(catalogue(t), c); err == nil || strings.Count(err.Error(), "can't be ignored") != 1 || !strings.Contains(err.Error(), "No-Runtime") {
		t.Errorf("%v", err)
	}
}
