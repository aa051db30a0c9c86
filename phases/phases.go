// Package phases says what each command does, in order: a Plan is one literal,
// a phase one file. A phase decides with pure functions, then acts through Host,
// the runtime or the Cluster; it must not write to the machine any other way,
// and must not read back what another phase wrote.
package phases

import (
	"bootstrap/phases/plan"
)

// Phase is one named step of a Plan.
type Phase = plan.Phase[*Env]

// Step is phases that run side by side.
type Step = plan.Step[*Env]

// Plan is the steps of one command, in the order they run.
type Plan = plan.Plan[*Env]
