// Package phases says what each command does, in order: a Plan is one literal,
// a phase one file. A phase decides with pure functions, then acts through Host,
// the runtime or the Cluster; it must not write to the machine any other way,
// and must not read back what another phase wrote.
package phases

import (
	"context"

	"bootstrap/phases/cluster"
	"bootstrap/phases/host"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/ready"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
	"bootstrap/templates"
)

// Phase is one named step of a Plan.
type Phase = plan.Phase[*Env]

// Step is phases that run side by side.
type Step = plan.Step[*Env]

// Plan is the steps of one command, in the order they run.
type Plan = plan.Plan[*Env]

// forAll does something with each, one after the other, and goes on after errors.
func forAll[T any](all []T, do func(T) error) error {
	return plan.Each(len(all), 1, func(i int) error { return do(all[i]) })
}

// writeRendered writes what a template gives into a file that only root may read.
func writeRendered(h *host.Host, path string, file templates.File) error {
	data, err := templates.Render(file)
	if err != nil {
		return err
	}
	_, err = h.WriteFile(path, data, 0o600)
	return err
}

// inRuntime does work in the container runtime. stage is how far init has come.
func (e *Env) inRuntime(ctx context.Context, stage observe.Stage, work func(context.Context, *runtime.CRI) error) error {
	cri, err := e.DialRuntime()
	if err != nil {
		return err
	}
	defer cri.Close()
	return e.Ready().WhileRuntimeAnswers(ctx, stage, cri, func(ctx context.Context) error { return work(ctx, cri) })
}

// asAdmin is the Run of a phase that asks this node's own API server, as admin. What fails for a
// reason that may pass is tried again.
func asAdmin(run func(context.Context, *Env, *cluster.Cluster) error) func(context.Context, *Env) error {
	return func(ctx context.Context, env *Env) error {
		c, err := env.Connect(spec.AdminConf)
		if err != nil {
			return err
		}
		return run(ctx, env, env.telling(c.Within(env.Config.APICallTimeout)))
	}
}

// onControlPlane is the Run of a phase that waits for this node's control plane, when all its files are written.
func onControlPlane(run func(context.Context, *Env, *ready.ControlPlane) error) func(context.Context, *Env) error {
	return func(ctx context.Context, env *Env) error {
		w, err := env.Ready().NewControlPlane(observe.Written)
		if err != nil {
			return err
		}
		defer w.CRI.Close()
		return run(ctx, env, w)
	}
}

// telling is the same cluster, of whose changed objects is told.
func (e *Env) telling(c *cluster.Cluster) *cluster.Cluster {
	return c.Telling(func(a cluster.Applied) {
		e.Tell.Changed(host.Change{Op: host.OpObject, Verb: host.Verb(a.Verb), Target: a.Object})
	})
}
