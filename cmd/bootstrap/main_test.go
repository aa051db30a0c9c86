package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/health"
	"bootstrap/phases/plan"
	"bootstrap/phases/staticpods"
)

type hinted struct{ error }

func (h hinted) Unwrap() error { return h.error }

func (hinted) Hint() string { return "try again" }

func TestExitCode(t *testing.T) {
	failed := errors.New("phase etcd: no space left")
	interrupted := func(s syscall.Signal) context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(signalError{s})
		return ctx
	}
	cases := []struct {
		name string
		ctx  context.Context
		err  error
		want int
	}{
		{"done", context.Background(), nil, 0},
		{"phase failed", context.Background(), failed, 1},
		{"usage", context.Background(), plan.Refused(failed), 2},
		{"preflight", context.Background(), fmt.Errorf("phase preflight: %w", plan.Refused(errors.Join(failed))), 2},
		{"refused", context.Background(), plan.Refused(failed), 2},
		{"a static pod does not run", context.Background(), &staticpods.PodError{Err: failed}, 1},
		{"SIGINT", interrupted(syscall.SIGINT), failed, 130},
		{"SIGTERM", interrupted(syscall.SIGTERM), failed, 143},
		{"done in spite of SIGTERM", interrupted(syscall.SIGTERM), nil, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := exitCode(c.ctx, c.err); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

func TestPrintError(t *testing.T) {
	one, two := errors.New("one"), hinted{errors.New("two")}
	const again = "bootstrap: hint: run the same command again to go on, or undo it: bootstrap reset\n"
	cases := []struct {
		name string
		err  error
		want string
	}{
		{"none", nil, ""},
		{"plain", one, "bootstrap: error: one\n"},
		{"hint", fmt.Errorf("phase x: %w", two), "bootstrap: error: phase x: two\nbootstrap: hint: try again\n"},
		{"joined", plan.Refused(errors.Join(one, two)), "bootstrap: error: one\nbootstrap: error: two\nbootstrap: hint: try again\n"},
		{"one hint for several", errors.Join(two, two), "bootstrap: error: two\nbootstrap: error: two\nbootstrap: hint: try again\n"},
		{"joined in a phase", fmt.Errorf("phase undo: %w", errors.Join(one, two)), "bootstrap: error: one\nbootstrap: error: two\nbootstrap: hint: try again\n"},
		{"preflight", fmt.Errorf("phase preflight: %w", plan.Refused(errors.Join(two, one))),
			"bootstrap: error: two\nbootstrap: hint: try again\nbootstrap: error: one\n"},
		{"interrupted", fmt.Errorf("phase x: %w", context.Canceled), "bootstrap: error: phase x: context canceled\n" + again},
		{"stalled", hinted{&health.StalledError{Pending: []health.Pending{{Name: "etcd", Reason: one}}}},
			"bootstrap: error: not healthy within 0s, still missing: etcd (one)\nbootstrap: hint: try again\n" + again},
		{"refused", plan.Refused(errors.Join(one, two)), "bootstrap: error: one\nbootstrap: error: two\nbootstrap: hint: try again\n"},
		{"a static pod, which reset would leave", &staticpods.PodError{Namespace: "shop", Name: "web", Err: &health.StalledError{}},
			"bootstrap: error: static pod shop/web: not healthy within 0s, still missing: \n" +
				"bootstrap: hint: wait on: bootstrap static-pod wait web -n shop; or take it away: bootstrap static-pod delete web -n shop\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			printError(&out, c.err)
			if diff := cmp.Diff(c.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
