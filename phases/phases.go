// Package phases says what each command does, in order: a Plan is one literal,
// a phase one file. A phase decides with pure functions, then acts through Host,
// the runtime or the Cluster; it must not write to the machine any other way,
// and must not read back what another phase wrote.
package phases

import (
	"bootstrap/phases/host"
	"bootstrap/phases/plan"
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
