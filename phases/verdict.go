package phases

import (
	"context"
	"errors"
	"strings"
	"sync"

	"bootstrap/phases/host"
)

// Left is one thing that reset did not remove.
type Left struct {
	What string `json:"what"` // a path, a unit, a link, ...
	Why  string `json:"why"`
	Hint string `json:"hint,omitempty"`
}

// Verdict looks at the machine once more after reset: what another reset would still
// do, or could not do, is left. scan must have been opened, as a plan, before the
// reset, so that it knows what there was; failed is what the reset returned.
func Verdict(ctx context.Context, scan *Env, failed error) []Left {
	var mu sync.Mutex
	var left []Left
	scan.Report = func(e Event) {
		if e.Kind == Changed {
			mu.Lock()
			defer mu.Unlock()
			left = append(left, leftOver(e.Change, Failures(failed)))
		}
	}
	err := Reset().RunAll(ctx, scan)
	for _, failure := range Failures(err) {
		left = append(left, Left{What: whereOf(failure), Why: failure.Error(), Hint: hintOf(failure)})
	}
	return left
}

// leftOver explains a thing that is there by the failure that names it.
func leftOver(c host.Change, failures []error) Left {
	for _, failure := range failures {
		if whereOf(failure) == c.Target || strings.Contains(failure.Error(), c.Target) {
			return Left{What: c.Target, Why: failure.Error(), Hint: hintOf(failure)}
		}
	}
	return Left{What: c.Target, Why: "this " + string(c.Op) + " is still there", Hint: "bootstrap reset"}
}

// Failures takes joined errors apart.
func Failures(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, each := range joined.Unwrap() {
			all = append(all, Failures(each)...)
		}
		return all
	}
	if inner := errors.Unwrap(err); inner != nil && len(Failures(inner)) > 1 {
		return Failures(inner)
	}
	return []error{err}
}

func whereOf(err error) string {
	var located interface{ Where() string }
	if errors.As(err, &located) {
		return located.Where()
	}
	return ""
}

func hintOf(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return ""
}
