package ready

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/health"
	"bootstrap/phases/plan"
	"bootstrap/phases/plan/plantest"
)

// TestDeadlineIsPutOff: a wait goes on for as long as something new comes up, to three times its timeout. The
// same again, be it with other numbers, is nothing new. The error tells the time that was given.
func TestDeadlineIsPutOff(t *testing.T) {
	steps := func(each time.Duration, states int) func(time.Duration) error {
		return func(since time.Duration) error {
			if n := int(since / each); n < states {
				return errors.New("step " + string(rune('a'+n)))
			}
			return nil
		}
	}
	for _, tt := range []struct {
		name  string
		state func(since time.Duration) error
		took  time.Duration
		want  string // of the error; empty without
	}{
		{"in time", steps(10*time.Second, 5), 50 * time.Second, ""},
		{"one after another", steps(25*time.Second, 5), 125 * time.Second, ""},
		{"too slow between two", steps(59*time.Second, 4), 90 * time.Second, "not healthy within 1m29s"},
		{"nothing new", func(time.Duration) error { return errors.New("refused") }, time.Minute, "not healthy within 1m0s"},
		{"the same with other numbers", func(since time.Duration) error { return fmt.Errorf("try %d", int(since/time.Second)) }, time.Minute, "not healthy within 1m0s"},
		{"new for ever", steps(20*time.Second, 1000), 3 * time.Minute, "not healthy within 3m0s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := testWaiter(t, "default")
			w.Timeout = time.Minute
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				probe := func(context.Context) error { return tt.state(time.Since(began)) }
				err := w.WaitWithin(t.Context(), Wait{Checks: []health.Check{{Name: "etcd", Probe: probe}}})
				if tt.want != "" {
					plantest.CheckError(t, err, tt.want)
				} else if err != nil {
					t.Error(err)
				}
				if took := time.Since(began); (took - tt.took).Abs() > 3*time.Second {
					t.Errorf("it took %s, want %s", took, tt.took)
				}
			})
		})
	}
}

// TestDeadlineIsShared: a wait that begins when the time is over goes on where the one before made progress,
// and its error never tells of no time.
func TestDeadlineIsShared(t *testing.T) {
	w := testWaiter(t, "default")
	w.Timeout = time.Minute
	synctest.Test(t, func(t *testing.T) {
		d := &Deadline{}
		wait := func(probe func() error) error {
			check := health.Check{Name: "etcd", Probe: func(context.Context) error { return probe() }}
			return w.waitUntil(t.Context(), Wait{Checks: []health.Check{check}}, d)
		}
		began := time.Now()
		up := func() error {
			if time.Since(began) < 50*time.Second {
				return errors.New("not yet")
			}
			return nil
		}
		if err := wait(up); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second) // another phase
		if err := wait(func() error { return nil }); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Minute)
		plantest.CheckError(t, wait(func() error { return errors.New("refused") }), "not healthy within 3m10s", "etcd")
	})
}

// TestDeadlineIsPutOffByPhases: a wait gets time to look, also where the phases before it have taken all of it.
func TestDeadlineIsPutOffByPhases(t *testing.T) {
	w := testWaiter(t, "default")
	w.Timeout = time.Minute
	synctest.Test(t, func(t *testing.T) {
		d := &Deadline{}
		d.begin()
		time.Sleep(100 * time.Second) // images were imported
		check := health.Check{Name: "etcd", Probe: func(context.Context) error { return nil }}
		if err := w.waitUntil(t.Context(), Wait{Checks: []health.Check{check}}, d); err != nil {
			t.Error(err)
		}
	})
}

// TestIsNamed: a wait is put off on a busy machine where nobody knows more; a probable cause is something known.
func TestIsNamed(t *testing.T) {
	stalled := &health.StalledError{Cause: context.DeadlineExceeded}
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"no look yet":    {stalled, false},
		"no known cause": {&plan.CauseError{Finding: diagnose.Finding{ID: diagnose.NoKnownCause}, Err: stalled}, false},
		"probable":       {&plan.CauseError{Finding: diagnose.Finding{ID: "addon-crashes", Level: diagnose.Warning}, Err: stalled}, true},
		"in a frame":     {fmt.Errorf("phase: %w", &plan.CauseError{Finding: diagnose.Finding{ID: "etcd-slow-disk"}, Err: stalled}), true},
	} {
		if got := isNamed(c.err); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
