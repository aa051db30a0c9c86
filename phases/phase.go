// Package phases says what each command does, in order: a Plan is one literal,
// a phase one file. A phase decides with pure functions, then acts through Host,
// the runtime or the Cluster; it must not write to the machine any other way,
// and must not read back what another phase wrote.
package phases

import (
	"context"
	"fmt"
	"slices"
	"time"

	"bootstrap/phases/cluster"
	"bootstrap/phases/host"
	"bootstrap/phases/locate"
)

// Phase is one named step of a Plan.
type Phase struct {
	Name  string // typed after "init phase" and --skip-phases
	Short string // one line, for help
	Run   func(context.Context, *Env) error

	Purpose host.Purpose // of its effects, if a later run must know it
}

// Step is phases that run side by side.
type Step []Phase

// Plan is the steps of one command, in the order they run.
type Plan []Step

// Phases lists all phases of the plan in order.
func (p Plan) Phases() []Phase { return slices.Concat(p...) }

// Names lists the names of all phases in order.
func (p Plan) Names() []string {
	var names []string
	for _, phase := range p.Phases() {
		names = append(names, phase.Name)
	}
	return names
}

// Find gives the phase of that name.
func (p Plan) Find(name string) (Phase, bool) {
	for _, phase := range p.Phases() {
		if phase.Name == name {
			return phase, true
		}
	}
	return Phase{}, false
}

// Without leaves out phases by name, and the wait for what is then not made; an unknown
// name is an error.
func (p Plan) Without(names []string) (Plan, error) {
	for _, name := range names {
		if _, ok := p.Find(name); !ok {
			return nil, withHint(fmt.Errorf("unknown phase %q%s", name, locate.DidYouMean(name, p.Names())), "see them all: bootstrap init --help")
		}
	}
	for _, each := range []struct{ left, follows Phase }{{addons, waitAddons}, {waitControlPlane, watchControlPlane}} {
		if slices.Contains(names, each.left.Name) {
			names = append(slices.Clone(names), each.follows.Name)
		}
	}
	var rest Plan
	for _, step := range p {
		kept := slices.DeleteFunc(slices.Clone(step), func(f Phase) bool { return slices.Contains(names, f.Name) })
		if len(kept) > 0 {
			rest = append(rest, kept)
		}
	}
	return rest, nil
}

// Run runs the plan and stops at the first error. The phases of a step run side
// by side; when one fails, the others are cancelled and waited for.
func (p Plan) Run(ctx context.Context, env *Env) error {
	env.firstWait, env.clients = &firstWait{}, &clients{all: map[string]*cluster.Cluster{}}
	env.versions = &versions{all: map[string]string{}}
	for _, step := range p {
		if err := step.run(ctx, env); err != nil {
			return err
		}
	}
	return nil
}

func (s Step) run(ctx context.Context, env *Env) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, len(s))
	for _, phase := range s {
		go func() { failed <- phase.run(ctx, env) }()
	}
	var first error
	for range s {
		if err := <-failed; err != nil && first == nil {
			first = err
			cancel()
		}
	}
	return first
}

func (f Phase) run(ctx context.Context, env *Env) error {
	start := time.Now()
	env = env.forPhase(f.Name)
	env.Host = env.Host.For(f.Purpose)
	env.report(Event{Kind: Started, Message: f.Short})
	if err := f.Run(ctx, env); err != nil {
		err = fmt.Errorf("phase %s: %w", f.Name, err)
		env.report(Event{Kind: Failed, Elapsed: time.Since(start), Message: err.Error()})
		return err
	}
	env.report(Event{Kind: Done, Elapsed: time.Since(start)})
	return nil
}
