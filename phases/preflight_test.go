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
	c := parsed(t, "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"+
		"nodeRegistration: {ignorePreflightErrors: [Port-6443, ALL, No-Runtime, little-memory]}\n")
	if err := CheckConfig(catalogue(t), c); err == nil || strings.Count(err.Error(), "can't be ignored") != 1 || !strings.Contains(err.Error(), "No-Runtime") {
		t.Errorf("%v", err)
	}
	file, err := os.ReadFile(configtest.Testdata("config/people/invalid-skip-phase-name.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckConfig(catalogue(t), parsed(t, string(file))); err == nil || !strings.Contains(err.Error(), `skipPhases: unknown phase "addon/kubeproxy"`) {
		t.Errorf("%v", err)
	}
}

func parsed(t *testing.T, file string) *config.Config {
	t.Helper()
	c, err := config.Parse("x.yaml", []byte(file), configtest.Machine)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
