package ready

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/health"
	"bootstrap/phases/host"
	"bootstrap/phases/plan"
	"bootstrap/phases/plan/plantest"
)

// TestProbe acts until that succeeds, and tells each reason once; the last one ends it.
func TestProbe(t *testing.T) {
	w := testWaiter(t, "default")
	synctest.Test(t, func(t *testing.T) {
		var told []string
		report := func(all []health.Pending) { told = append(told, all[0].Reason.Error()) }
		answers := []error{errors.New("refused"), errors.New("refused"), errors.New("not ready"), nil}
		class := func(act func(context.Context) error) Wait {
			return Wait{Checks: []health.Check{{Name: "class", Probe: act}}}
		}
		act := func(context.Context) error {
			answer := answers[0]
			answers = answers[1:]
			return answer
		}
		if err := w.probe(t.Context(), class(act), report); err != nil || !slices.Equal(told, []string{"refused", "not ready"}) {
			t.Errorf("%v, told %q", err, told)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := w.probe(ctx, class(func(ctx context.Context) error {
			if time.Sleep(time.Second); ctx.Err() != nil {
				return ctx.Err()
			}
			return errors.New("refused")
		}), report)
		plantest.CheckError(t, err, "not healthy within 1m", "class (refused)")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// TestNextLook: a long wait is looked at less often, and also one whose looks take long.
func TestNextLook(t *testing.T) {
	certain := diagnose.Finding{Level: diagnose.Error}
	for _, c := range []struct {
		found        diagnose.Finding
		waited, took time.Duration
		want         time.Duration
	}{
		{diagnose.Finding{}, 2 * time.Second, time.Millisecond, LookEvery},
		{diagnose.Finding{}, time.Minute, time.Millisecond, lookRarely},
		{diagnose.Finding{}, 2 * time.Second, 3 * time.Second, 3 * time.Second},
		{diagnose.Finding{}, time.Minute, 3 * time.Second, 3 * time.Second},
		{certain, 2 * time.Second, time.Millisecond, confirmAfter},
		{certain, time.Minute, 3 * time.Second, confirmAfter},
	} {
		if got := nextLook(c.found, c.waited, c.took); got != c.want {
			t.Errorf("%s after %s, a look of %s: %s", c.found.Level, c.waited, c.took, got)
		}
	}
}

// TestSaysWhy: an error of a step's own is never hidden behind a cause that was found by evidence, such as
// a link in the way of containerd behind a runtime that does not listen. What systemd or the kernel
// answers needs a cause.
func TestSaysWhy(t *testing.T) {
	link := &host.ObstacleError{Path: "/usr/local/bin/ctr", What: "a link", Fix: "rm it"}
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"a link among other errors": {errors.Join(errors.New("x"), link), true},
		"a file":                    {fmt.Errorf("write: %w", &fs.PathError{Op: "open", Path: "/x", Err: syscall.ENOTDIR}), true},
		"a program to install":      {plan.About("/usr/local/bin/ctr", errors.New("it is not in the bundle")), true},
		"an image":                  {plan.Hint(errors.New("it can't be pulled"), "check the network"), false},
		"a cause":                   {&plan.CauseError{}, true},
		"a unit":                    {&host.ObstacleError{Path: "containerd.service", What: "start containerd.service: failed", Fix: "see"}, false},
		"systemd":                   {errors.New("enable kubelet.service: Unit is masked"), false},
		"a full disk":               {&fs.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC}, false},
		"a read-only disk":          {&fs.PathError{Op: "open", Path: "/x", Err: syscall.EROFS}, false},
	} {
		if got := saysWhy(c.err); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
