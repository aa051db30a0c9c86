package phases

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"bootstrap/phases/host"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

// Left is one thing that reset did not remove.
type Left struct {
	What string `json:"what"` // a path, a unit, a link, ...
	Why  string `json:"why"`
	Hint string `json:"hint,omitempty"`
}

// Scan looks at the machine once more after reset. The zero value is ready for use.
type Scan struct {
	mu      sync.Mutex
	changes []host.Change
}

// Take is told of the changes that another reset would make.
func (s *Scan) Take(e plan.Event) {
	if e.Kind != plan.Changed {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes = append(s.changes, e.Change)
}

// Verdict is what another reset would still do, or could not do. looking must have been
// opened, as a plan that tells Take, before the reset in env, so that it knows what there
// was; failed is what that reset returned.
func (s *Scan) Verdict(ctx context.Context, env, looking *Env, failed error) []Left {
	err := verdictPlan(looking).RunAll(ctx, looking)
	var left []Left
	for _, change := range s.changes {
		left = append(left, leftOver(change, plan.Failures(failed))...)
	}
	left = append(left, leftBy(plan.Failures(err))...)
	here := func(failure error) bool { return !errors.As(failure, new(*elsewhereError)) }
	left = append(left, leftBy(slices.DeleteFunc(plan.Failures(failed), here))...)
	if len(left) == 0 && failed != nil {
		return undoAgain(ctx, env)
	}
	return distinct(left)
}

// verdictPlan is the plan that must find nothing to do any more. It lets a kubelet run that
// ran before init, as reset has started it again.
func verdictPlan(scan *Env) Plan {
	ran := func(r host.Record) bool { return r.Target == spec.KubeletService && r.RanBefore() }
	if !slices.ContainsFunc(scan.Host.Entries(), ran) {
		return Reset()
	}
	return slices.DeleteFunc(Reset(), func(s Step) bool { return s[0].Name == stopKubelet.Name })
}

// distinct keeps only what is said first of each thing, as the rest follows from that.
func distinct(left []Left) []Left {
	seen := map[string]bool{}
	return slices.DeleteFunc(left, func(l Left) bool {
		about := cmp.Or(l.What, l.Why)
		again := seen[about]
		seen[about] = true
		return again
	})
}

// undoAgain is for a reset in which what failed has gone all the same, and only the ledger
// does not know.
func undoAgain(ctx context.Context, env *Env) []Left {
	if !env.Host.HasLedger() {
		return nil
	}
	return leftBy(plan.Failures(env.Host.UndoAll(ctx, env.Keep.keeps)))
}

func leftBy(failures []error) []Left {
	var left []Left
	for _, failure := range failures {
		left = append(left, Left{What: plan.WhereOf(failure), Why: plan.WhyOf(failure), Hint: plan.HintOf(failure)})
	}
	return left
}

// leftOver explains a thing that is there by the failures that are about it or about
// what is in it, or else by one that names it.
func leftOver(c host.Change, failures []error) []Left {
	others := func(l Left) bool { return l.What != c.Target && !strings.HasPrefix(l.What, c.Target+"/") }
	if left := slices.DeleteFunc(leftBy(failures), others); len(left) > 0 {
		return left
	}
	i := slices.IndexFunc(failures, func(failure error) bool { return names(failure.Error(), c.Target) })
	if i >= 0 {
		named := leftBy(failures[i : i+1])
		named[0].What = c.Target
		return named
	}
	return []Left{{What: c.Target, Why: "this " + string(c.Op) + " is still there", Hint: "bootstrap reset"}}
}

// names tells whether a text names the target or a path below it: not /a/bc for /a/b.
func names(text, target string) bool {
	for target != "" {
		_, after, found := strings.Cut(text, target)
		if !found {
			return false
		}
		if after == "" || strings.ContainsRune(" /:;,)'\"", rune(after[0])) {
			return true
		}
		text = after
	}
	return false
}
