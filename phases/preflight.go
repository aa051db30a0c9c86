package phases

import (
	"context"
	"errors"
	"fmt"

	"bootstrap/phases/config"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
)

var preflight = Phase{
	Name:  "preflight",
	Short: "check that this machine can become what the config asks for, before anything is changed",
	Run:   runPreflight,
}

// runPreflight refuses with every finding that stops init.
func runPreflight(ctx context.Context, env *Env) error {
	if r, open := env.Host.Unfinished(); open && env.Restoring == nil { // of a restore it is this very run
		env.Tell.Say("going on: the run before did not end; the last it did was in phase %s, with %s", r.By, r.Target)
	}
	seen := env.Inspect(ctx, !env.Host.Plans(), env.lookAhead)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, what := range seen.Unread {
		env.Tell.Warn("not looked at: %s", what)
	}
	for _, f := range seen.Findings {
		if f.Level == diagnose.Warning {
			text := fmt.Sprintf("%s: %s; %s", f.ID, f.What, f.Remedy)
			env.Tell.Send(plan.Event{Kind: plan.Warning, Cause: f.ID, Message: text})
		}
	}
	return plan.Refused(errors.Join(observe.Stops(seen.Findings)...))
}

// Inspect looks at this machine as init does before it changes anything.
func Inspect(ctx context.Context, env *Env) observe.Inspection {
	env = env.forPhase(preflight.Name)
	return env.Inspect(ctx, true, env.lookAhead)
}

// CheckIgnore wants every ID to be one of a check that init can go on without.
func CheckIgnore(all diagnose.Catalogue, ids []string) error {
	return forAll(ids, func(id string) error {
		switch entry, known := all.Find(id); {
		case !known:
			return plan.Hint(fmt.Errorf("--ignore %s: there is no such check", id), "see their names: bootstrap explain")
		case entry.Check == nil || entry.Enforced:
			return fmt.Errorf("--ignore %s: it can't be ignored: init does not work past it", id)
		}
		return nil
	})
}

// ErrNotRoot is what a user who may not change this machine is told.
var ErrNotRoot = plan.Hint(errors.New("not root"), "run it with sudo")

// CheckConfig finds in a config what only the plan and its checks know to be wrong.
func CheckConfig(all diagnose.Catalogue, c *config.Config) error {
	_, err := InitPlan(c).Without(c.SkipPhases)
	if err != nil {
		err = fmt.Errorf("skipPhases: %w", err)
	}
	ignored := diagnose.Unfit{Ignored: observe.NotIgnorable(all, c.IgnorePreflight)}
	return errors.Join(append(observe.Refusals(all, ignored), err)...)
}
