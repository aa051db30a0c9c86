// Package plan says how commands are put together and run: a Plan is one literal of
// phases, read from top to bottom. It knows no phase, and it must not decide what is
// done or change anything by itself.
package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"bootstrap/phases/locate"
)

// Env is what the phases of a plan are given. For gives it to one phase, which is named
// in the ledger and in what the Teller tells.
type Env[E any] interface {
	For(phase string) (E, Teller)
}

// Phase is one named step of a Plan.
type Phase[E Env[E]] struct {
	Name    string // typed after "init phase" and --skip-phases
	Short   string // one line, for help
	Follows string // the phase without which this one has nothing to do; may be empty
	Run     func(context.Context, E) error
}

// Step is phases that run side by side.
type Step[E Env[E]] []Phase[E]

// Plan is the steps of one command, in the order they run.
type Plan[E Env[E]] []Step[E]

// Phases lists all phases of the plan in order.
func (p Plan[E]) Phases() []Phase[E] { return slices.Concat(p...) }

// Names lists the names of all phases in order.
func (p Plan[E]) Names() []string {
	var names []string
	for _, phase := range p.Phases() {
		names = append(names, phase.Name)
	}
	return names
}

// Find gives the phase of that name.
func (p Plan[E]) Find(name string) (Phase[E], bool) {
	for _, phase := range p.Phases() {
		if phase.Name == name {
			return phase, true
		}
	}
	return Phase[E]{}, false
}

// Without leaves out phases by name, and those that follow one of them. An unknown name
// is an error.
func (p Plan[E]) Without(names []string) (Plan[E], error) {
	for _, name := range names {
		if _, ok := p.Find(name); !ok {
			return nil, Hint(fmt.Errorf("unknown phase %q%s", name, locate.DidYouMean(name, p.Names())), "see them all: bootstrap init --help")
		}
	}
	left := func(f Phase[E]) bool { return slices.Contains(names, f.Name) || slices.Contains(names, f.Follows) }
	var rest Plan[E]
	for _, step := range p {
		if kept := slices.DeleteFunc(slices.Clone(step), left); len(kept) > 0 {
			rest = append(rest, kept)
		}
	}
	return rest, nil
}

// Run runs the plan and stops at the first error. The phases of a step run side by side;
// when one fails, the others are cancelled and waited for.
func (p Plan[E]) Run(ctx context.Context, env E) error {
	for _, step := range p {
		if err := step.run(ctx, env); err != nil {
			return err
		}
	}
	return nil
}

// RunAll runs every phase, whatever fails, and joins the errors.
func (p Plan[E]) RunAll(ctx context.Context, env E) error {
	var errs []error
	for _, phase := range p.Phases() {
		errs = append(errs, phase.run(ctx, env))
	}
	return errors.Join(errs...)
}

func (s Step[E]) run(ctx context.Context, env E) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, phase := range s {
		group.Go(func() error { return phase.run(ctx, env) })
	}
	return group.Wait()
}

func (f Phase[E]) run(ctx context.Context, env E) error {
	start := time.Now()
	env, tell := env.For(f.Name)
	tell.Send(Event{Kind: Started, Message: f.Short})
	if err := f.Run(ctx, env); err != nil {
		err = fmt.Errorf("phase %s: %w", f.Name, err)
		tell.Send(Event{Kind: Failed, Seconds: time.Since(start).Seconds(), Message: err.Error()})
		return err
	}
	tell.Send(Event{Kind: Done, Seconds: time.Since(start).Seconds()})
	return nil
}
