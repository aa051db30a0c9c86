package plan_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/plan"
	"bootstrap/phases/plan/plantest"
)

// env gives phases nothing but somebody to tell.
type env struct{ to func(plan.Event) }

// For implements plan.Env.
func (e env) For(phase string) (env, plan.Teller) { return e, plan.Teller{Phase: phase, To: e.to} }

type (
	testPhase = plan.Phase[env]
	testStep  = plan.Step[env]
	testPlan  = plan.Plan[env]
)

// named is a plan of phases that do nothing.
func named(steps ...[]string) testPlan {
	var all testPlan
	for _, names := range steps {
		var step testStep
		for _, name := range names {
			step = append(step, testPhase{Name: name, Run: func(context.Context, env) error { return nil }})
		}
		all = append(all, step)
	}
	return all
}

func stepNames(p testPlan) [][]string {
	var names [][]string
	for _, step := range p {
		names = append(names, testPlan{step}.Names())
	}
	return names
}

func TestWithout(t *testing.T) {
	all := named([]string{"a"}, []string{"b", "c"}, []string{"d"})
	cases := []struct {
		name string
		skip []string
		want [][]string
	}{
		{"nothing", nil, [][]string{{"a"}, {"b", "c"}, {"d"}}},
		{"one of two side by side", []string{"b"}, [][]string{{"a"}, {"c"}, {"d"}}},
		{"a whole step", []string{"b", "c"}, [][]string{{"a"}, {"d"}}},
		{"twice", []string{"a", "a"}, [][]string{{"b", "c"}, {"d"}}},
		{"all", []string{"a", "b", "c", "d"}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := all.Without(c.skip)
			if diff := cmp.Diff(c.want, stepNames(got)); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, all.Names()); diff != "" {
		t.Errorf("the plan itself was changed: %s", diff)
	}
	_, err := all.Without([]string{"a", "x"})
	plantest.CheckError(t, err, `unknown phase "x"`)
}

func TestFind(t *testing.T) {
	all := named([]string{"a"}, []string{"b", "c"})
	if p, ok := all.Find("c"); !ok || p.Name != "c" {
		t.Errorf("%v %v", p.Name, ok)
	}
	if p, ok := all.Find("x"); ok || p.Name != "" {
		t.Errorf("found %q", p.Name)
	}
}

// trace notes what runs; err ends a phase of that name.
type trace struct {
	mu  sync.Mutex
	ran []string
	err map[string]error
}

func (r *trace) phase(name string) testPhase {
	return testPhase{Name: name, Short: "do " + name, Run: func(context.Context, env) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ran = append(r.ran, name)
		return r.err[name]
	}}
}

func TestRunStopsAtFirstError(t *testing.T) {
	broken := errors.New("no space left")
	r := trace{err: map[string]error{"b": broken}}
	seen := &plan.Events{}
	err := testPlan{{r.phase("a")}, {r.phase("b")}, {r.phase("c")}}.Run(t.Context(), env{seen.Take})
	if !errors.Is(err, broken) || err.Error() != "phase b: no space left" {
		t.Error(err)
	}
	if !slices.Equal(r.ran, []string{"a", "b"}) {
		t.Errorf("ran %v", r.ran)
	}
	var got []string
	for _, e := range seen.All {
		got = append(got, e.Phase+" "+string(e.Kind)+" "+e.Message)
	}
	want := []string{"a started do a", "a done ", "b started do b", "b failed phase b: no space left"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestRunAllRunsAll(t *testing.T) {
	one, two := errors.New("one"), errors.New("two")
	r := trace{err: map[string]error{"a": one, "c": two}}
	err := testPlan{{r.phase("a")}, {r.phase("b"), r.phase("c")}, {r.phase("d")}}.RunAll(t.Context(), env{})
	if !errors.Is(err, one) || !errors.Is(err, two) || err.Error() != "phase a: one\nphase c: two" {
		t.Error(err)
	}
	if !slices.Equal(r.ran, []string{"a", "b", "c", "d"}) {
		t.Errorf("ran %v", r.ran)
	}
	if err := (testPlan{{r.phase("b")}}).RunAll(t.Context(), env{}); err != nil {
		t.Error(err)
	}
}

// TestStepCancelsTheOther wants the first error, only when the other phase has ended.
func TestStepCancelsTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		waiting := make(chan struct{})
		ended := false
		slow := testPhase{Name: "slow", Run: func(ctx context.Context, _ env) error {
			close(waiting)
			<-ctx.Done()
			ended = true
			return ctx.Err()
		}}
		quick := testPhase{Name: "quick", Run: func(context.Context, env) error {
			<-waiting // so that both run at once
			return broken
		}}
		err := testPlan{{slow, quick}, {testPhase{Name: "next", Run: func(context.Context, env) error {
			t.Error("the next step ran")
			return nil
		}}}}.Run(t.Context(), env{})
		if !errors.Is(err, broken) || errors.Is(err, context.Canceled) {
			t.Errorf("%v, want the first error alone", err)
		}
		if !ended {
			t.Error("the other phase was not waited for")
		}
	})
}

func TestRunPassesInterruption(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := testPlan{{testPhase{Name: "a", Run: func(ctx context.Context, _ env) error { return ctx.Err() }}}}.Run(ctx, env{})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
