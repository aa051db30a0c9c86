package health

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// script is a check that gives one answer after the other, then the last for ever.
type script struct {
	name    string
	answers []string // "" is true
	asked   int
}

func (s *script) check() Check {
	return Check{Name: s.name, Probe: func(context.Context) error {
		answer := s.answers[min(s.asked, len(s.answers)-1)]
		s.asked++
		if answer == "" {
			return nil
		}
		return errors.New(answer)
	}}
}

// wait waits in a bubble of time and gives what was reported.
func wait(ctx context.Context, scripts ...*script) (reports []string, err error) {
	var checks []Check
	for _, s := range scripts {
		checks = append(checks, s.check())
	}
	err = Wait(ctx, Pause, checks, func(p []Pending) { reports = append(reports, describe(p)) })
	return reports, err
}

func TestWaitTrueAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &script{"a", []string{""}, 0}, &script{"b", []string{""}, 0}
		start := time.Now()
		reports, err := wait(t.Context(), a, b)
		if err != nil || len(reports) > 0 || a.asked != 1 || b.asked != 1 {
			t.Errorf("%v, reports %q, asked %d and %d times", err, reports, a.asked, b.asked)
		}
		if time.Since(start) > 0 {
			t.Errorf("it took %s", time.Since(start))
		}
	})
}

func TestWaitReportsChanges(t *testing.T) {
	cases := []struct {
		name    string
		scripts []*script
		want    []string
	}{
		{"one reason, once", []*script{{name: "a", answers: []string{"down", "down", "down", ""}}}, []string{"a (down)"}},
		{"reason changes", []*script{{name: "a", answers: []string{"down", "starting", ""}}}, []string{"a (down)", "a (starting)"}},
		{"one is done", []*script{{name: "a", answers: []string{"x", ""}}, {name: "b", answers: []string{"y", "y", ""}}}, []string{"a (x); b (y)", "b (y)"}},
		{"one falls back", []*script{{name: "a", answers: []string{"", "x", ""}}, {name: "b", answers: []string{"y", "y", ""}}}, []string{"b (y)", "a (x); b (y)"}},
		{"all must hold in one round", []*script{{name: "a", answers: []string{"", "x", ""}}, {name: "b", answers: []string{"y", "", ""}}}, []string{"b (y)", "a (x)"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reports, err := wait(t.Context(), c.scripts...)
				if diff := cmp.Diff(c.want, reports); err != nil || diff != "" {
					t.Errorf("%v %s", err, diff)
				}
			})
		})
	}
}

func TestWaitDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		reports, err := wait(ctx, &script{"etcd", []string{"no container", "exit code 1"}, 0}, &script{"kubelet", []string{""}, 0})
		if err == nil || err.Error() != "not healthy within 1m30s, still missing: etcd (exit code 1)" {
			t.Error(err)
		}
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			t.Errorf("%v is not a deadline", err)
		}
		stalled := (*StalledError)(nil)
		if !errors.As(err, &stalled) || len(stalled.Pending) != 1 || stalled.Pending[0].Name != "etcd" || stalled.After != 90*time.Second {
			t.Errorf("%+v", stalled)
		}
		if diff := cmp.Diff([]string{"etcd (no container)", "etcd (exit code 1)"}, reports); diff != "" {
			t.Error(diff)
		}
	})
}

// TestWaitInterrupted cancels as main does: with the signal as the cause.
func TestWaitInterrupted(t *testing.T) {
	for name, cause := range map[string]error{"plain": nil, "signal": errors.New("interrupt")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(5*time.Second, func() { cancel(cause) })
				_, err := wait(ctx, &script{"etcd", []string{"no container"}, 0})
				if err == nil || err.Error() != "interrupted after 5s, still missing: etcd (no container)" {
					t.Error(err)
				}
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%v is no cancellation", err)
				}
			})
		})
	}
}

// TestWaitKeepsReasons cuts a probe off at the deadline: its word is no reason.
func TestWaitKeepsReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		asked := 0
		check := Check{Name: "etcd", Probe: func(ctx context.Context) error {
			asked++
			if asked == 1 {
				return errors.New("no leader")
			}
			<-ctx.Done()
			return fmt.Errorf("get: %w", ctx.Err())
		}}
		err := Wait(ctx, Pause, []Check{check}, func([]Pending) {})
		if err == nil || strings.Contains(err.Error(), "deadline") {
			t.Errorf("%v tells of our own deadline", err)
		}
		if asked < 3 {
			t.Errorf("a probe that hangs held all others up: asked %d times in 20 s", asked)
		}
	})
}

// TestWaitFirstRoundCutOff wants at least the names when nothing was learned.
func TestWaitFirstRoundCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		check := Check{Name: "etcd", Probe: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		err := Wait(ctx, Pause, []Check{check}, func([]Pending) {})
		if err == nil || !strings.Contains(err.Error(), "still missing: etcd (") {
			t.Error(err)
		}
	})
}

func TestProbeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		check := Check{Name: "etcd", Probe: func(ctx context.Context) error {
			if asked++; asked > 1 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}}
		start := time.Now()
		var reports []string
		err := Wait(t.Context(), Pause, []Check{check}, func(p []Pending) { reports = append(reports, describe(p)) })
		if diff := cmp.Diff([]string{"etcd (no answer within 3s)"}, reports); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
		if took := time.Since(start); took != 4*time.Second {
			t.Errorf("it took %s, want three seconds for the answer and one of pause", took)
		}
	})
}

// TestSlowMachine: an answer that takes longer than the first probes wait still comes.
func TestSlowMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reports []string
		err := Wait(t.Context(), Pause, []Check{answersAfter(7 * time.Second)}, func(p []Pending) { reports = append(reports, describe(p)) })
		want := []string{"etcd (no answer within 3s)", "etcd (no answer within 6s)"}
		if diff := cmp.Diff(want, reports); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
		if pending := Look(t.Context(), []Check{answersAfter(4 * time.Second)}); len(pending) > 0 {
			t.Errorf("a single look gives up: %s", describe(pending))
		}
	})
}

func answersAfter(d time.Duration) Check {
	return Check{Name: "etcd", Probe: func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
			return nil
		}
	}}
}

// TestProbesRunSideBySide wants a round to take as long as its slowest probe.
func TestProbesRunSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks []Check
		for i := range 5 {
			checks = append(checks, Check{Name: fmt.Sprint(i), Probe: func(context.Context) error {
				time.Sleep(800 * time.Millisecond) // in the bubble: no real time
				return nil
			}})
		}
		start := time.Now()
		if err := Wait(t.Context(), Pause, checks, nil); err != nil || time.Since(start) != 800*time.Millisecond {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}
