package plan_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/host"
	"bootstrap/phases/plan"
)

// several are findings under a text of their own.
type several struct{ findings []error }

func (s *several) Error() string   { return "several" }
func (s *several) Unwrap() []error { return s.findings }

func TestFailures(t *testing.T) {
	one, two, three := errors.New("one"), plan.Hint(errors.New("two"), "try"), &host.ObstacleError{Path: "/x", What: "/x is mounted", Fix: "umount /x"}
	cases := []struct {
		name string
		err  error
		want []string
	}{
		{"none", nil, nil},
		{"one keeps its wrapping", fmt.Errorf("phase a: %w", one), []string{"phase a: one"}},
		{"one joined", errors.Join(nil, one), []string{"one"}},
		{"joined", errors.Join(one, two), []string{"one", "two"}},
		{"joined, wrapped", fmt.Errorf("phase undo: %w", errors.Join(one, two)), []string{"one", "two"}},
		{"joined in joined", errors.Join(fmt.Errorf("phase a: %w", errors.Join(one, fmt.Errorf("undo: %w", errors.Join(two, three)))), one),
			[]string{"one", "two", "/x is mounted", "one"}},
		{"all nothing", fmt.Errorf("phase a: %w", errors.Join(one)), []string{"phase a: one"}},
		{"of another type", fmt.Errorf("phase preflight: %w", &several{[]error{one, two}}), []string{"one", "two"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, f := range plan.Failures(c.err) {
				got = append(got, f.Error())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	hinted := plan.Failures(fmt.Errorf("phase undo: %w", errors.Join(one, two, three)))
	if plan.HintOf(hinted[0]) != "" || plan.HintOf(hinted[1]) != "try" || plan.HintOf(hinted[2]) != "umount /x" {
		t.Errorf("hints %q, %q, %q", plan.HintOf(hinted[0]), plan.HintOf(hinted[1]), plan.HintOf(hinted[2]))
	}
	for want, err := range map[string]error{": one": hinted[0], "/x: /x is mounted": fmt.Errorf("undo: %w", hinted[2])} {
		if where, what := plan.Placed(err); where+": "+what != want {
			t.Errorf("it is about %q: %q, want %s", where, what, want)
		}
	}
}
