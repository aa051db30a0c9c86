package phases

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/plan"
	"bootstrap/phases/plan/plantest"
)

func TestInitOrder(t *testing.T) {
	want := [][]string{
		{"preflight"}, {"runtime", "certs", "kubelet"}, {"images", "kubeconfig"}, {"etcd"}, {"kubelet-start"},
		{"control-plane", "addon-images"}, {"restart-static-pods"}, {"grant-admin"}, {"restart-kubelet"}, {"wait-control-plane"},
		{"mark-control-plane", "upload-config", "upload-certs", "addons"},
		{"bootstrap-token", "write-kubeconfig"}, {"wait-addons", "watch-control-plane", "tools"},
	}
	if diff := cmp.Diff(want, stepNames(Init())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func stepNames(p Plan) [][]string {
	var names [][]string
	for _, step := range p {
		names = append(names, Plan{step}.Names())
	}
	return names
}

func TestPlansAreWhole(t *testing.T) {
	for _, plan := range []Plan{Init(), Standalone(), Reset()} {
		seen := map[string]bool{}
		for _, p := range plan.Phases() {
			if p.Name == "" || p.Short == "" || p.Run == nil || strings.HasSuffix(p.Short, ".") {
				t.Errorf("%+v is not whole", p)
			}
			if seen[p.Name] {
				t.Errorf("%s is there twice", p.Name)
			}
			seen[p.Name] = true
		}
	}
}

// named is a plan of phases that do nothing.
func named(steps ...[]string) Plan {
	var plan Plan
	for _, names := range steps {
		var step Step
		for _, name := range names {
			step = append(step, Phase{Name: name, Run: func(context.Context, *Env) error { return nil }})
		}
		plan = append(plan, step)
	}
	return plan
}

func TestWithout(t *testing.T) {
	plan := named([]string{"a"}, []string{"b", "c"}, []string{"d"})
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
			got, err := plan.Without(c.skip)
			if diff := cmp.Diff(c.want, stepNames(got)); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, plan.Names()); diff != "" {
		t.Errorf("the plan itself was changed: %s", diff)
	}
	_, err := plan.Without([]string{"a", "x"})
	plantest.CheckError(t, err, `unknown phase "x"`)
}

func TestFind(t *testing.T) {
	plan := named([]string{"a"}, []string{"b", "c"})
	if p, ok := plan.Find("c"); !ok || p.Name != "c" {
		t.Errorf("%v %v", p.Name, ok)
	}
	if p, ok := plan.Find("x"); ok || p.Name != "" {
		t.Errorf("found %q", p.Name)
	}
}

// trace notes what runs; err ends a phase of that name.
type trace struct {
	mu  sync.Mutex
	ran []string
	err map[string]error
}

func (r *trace) phase(name string) Phase {
	return Phase{Name: name, Short: "do " + name, Run: func(context.Context, *Env) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ran = append(r.ran, name)
		return r.err[name]
	}}
}

func TestRunStopsAtFirstError(t *testing.T) {
	broken := errors.New("no space left")
	r := trace{err: map[string]error{"b": broken}}
	seen := &plantest.Events{}
	env := testEnv(t, "default")
	env.Tell.To = seen.Take
	err := Plan{{r.phase("a")}, {r.phase("b")}, {r.phase("c")}}.Run(t.Context(), env)
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
	err := Plan{{r.phase("a")}, {r.phase("b"), r.phase("c")}, {r.phase("d")}}.RunAll(t.Context(), testEnv(t, "default"))
	if !errors.Is(err, one) || !errors.Is(err, two) || err.Error() != "phase a: one\nphase c: two" {
		t.Error(err)
	}
	if !slices.Equal(r.ran, []string{"a", "b", "c", "d"}) {
		t.Errorf("ran %v", r.ran)
	}
	if err := (Plan{{r.phase("b")}}).RunAll(t.Context(), testEnv(t, "default")); err != nil {
		t.Error(err)
	}
}

// TestStepCancelsTheOther wants the first error, only when the other phase has ended.
func TestStepCancelsTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		waiting := make(chan struct{})
		ended := false
		slow := Phase{Name: "slow", Run: func(ctx context.Context, _ *Env) error {
			close(waiting)
			<-ctx.Done()
			ended = true
			return ctx.Err()
		}}
		quick := Phase{Name: "quick", Run: func(context.Context, *Env) error {
			<-waiting // so that both run at once
			return broken
		}}
		err := Plan{{slow, quick}, {Phase{Name: "next", Run: func(context.Context, *Env) error {
			t.Error("the next step ran")
			return nil
		}}}}.Run(t.Context(), testEnv(t, "default"))
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
	err := Plan{{Phase{Name: "a", Run: func(ctx context.Context, _ *Env) error { return ctx.Err() }}}}.Run(ctx, testEnv(t, "default"))
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestDeadline wants one deadline for a whole run, told once.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &plantest.Events{}
		env := testEnv(t, "custom")
		env.Tell.To = seen.Take
		var deadlines []string
		ask := func(name string) Phase {
			return Phase{Name: name, Run: func(_ context.Context, env *Env) error {
				deadlines = append(deadlines, env.Ready().ControlPlaneDeadline().String())
				return nil
			}}
		}
		if err := (Plan{{ask("a")}, {ask("b")}}).Run(t.Context(), env); err != nil {
			t.Fatal(err)
		}
		if len(deadlines) != 2 || deadlines[0] != deadlines[1] {
			t.Errorf("deadlines %v", deadlines)
		}
		if notes := seen.Texts(plan.Note); len(notes) != 1 || !strings.Contains(notes[0], "within 1m30s (--timeout)") {
			t.Errorf("it says %q", notes)
		}
	})
}

// TestWithoutWaits: nothing waits for what is not made, or not to be waited for.
func TestWithoutWaits(t *testing.T) {
	for name, follows := range map[string]string{"addons": "wait-addons", "wait-control-plane": "watch-control-plane"} {
		plan, err := Init().Without([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{name, follows} {
			if _, ok := plan.Find(name); ok {
				t.Errorf("%s is still there", name)
			}
		}
	}
}
