package phases

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"

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

// Scan looks at the machine once more after reset, by another reset that only plans: it takes
// what that one tells of the changes that it would make. The zero value is ready for use.
type Scan struct{ plan.Events }

// Verdict is what another reset would still do, or could not do. env is that of the reset that
// was made, and failed what it returned. looking is a plan that tells Take; it must have been
// opened before that reset, so that it knows what there was.
func (s *Scan) Verdict(ctx context.Context, env, looking *Env, failed error) []Left {
	err := verdictPlan(looking).RunAll(ctx, looking)
	failures, all := plan.Failures(failed), func(error) bool { return true }
	var left []Left
	for _, e := range s.All {
		if e.Kind == plan.Changed {
			left = append(left, leftOver(e.Change, failures)...)
		}
	}
	left = append(left, leftBy(plan.Failures(err), all)...)
	left = append(left, leftBy(failures, isElsewhere)...)
	if len(left) == 0 && failed != nil && env.Host.HasLedger() {
		// What failed has gone all the same, and only the ledger does not know.
		left = leftBy(plan.Failures(env.Host.UndoAll(ctx, env.Keep.keeps)), all)
	}
	return distinct(left)
}

// verdictPlan is the plan that must find nothing to do any more. It does not stop a kubelet that
// ran before init, as reset has started that again.
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

// leftBy is what is left by those failures that are picked.
func leftBy(failures []error, picked func(error) bool) []Left {
	var left []Left
	for _, failure := range failures {
		if picked(failure) {
			where, why := plan.Placed(failure)
			left = append(left, Left{What: where, Why: why, Hint: plan.HintOf(failure)})
		}
	}
	return left
}

// leftOver explains a thing that is there by the failures that are about it or about
// what is in it, or else by those that name it.
func leftOver(c host.Change, failures []error) []Left {
	isAbout := func(failure error) bool {
		where, _ := plan.Placed(failure)
		return strings.HasPrefix(where+"/", c.Target+"/")
	}
	if about := leftBy(failures, isAbout); len(about) > 0 {
		return about
	}
	named := regexp.MustCompile(regexp.QuoteMeta(c.Target) + `([ /:;,)'"]|$)`) // not /a/bc for /a/b
	naming := leftBy(failures, func(failure error) bool { return named.MatchString(failure.Error()) })
	if len(naming) == 0 {
		naming = []Left{{Why: "this " + string(c.Op) + " is still there", Hint: "bootstrap reset"}}
	}
	for i := range naming {
		naming[i].What = c.Target
	}
	return naming
}
