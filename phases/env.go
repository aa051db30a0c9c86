package phases

import (
	"context"
	"time"

	"bootstrap/phases/host"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/ready"
)

// Env is what every phase is given. All of it is set when it is opened, and never
// changed after that.
type Env struct {
	observe.Observer      // what should be, what is, and the Host by which one becomes the other
	Recalled         bool // the config is the one that this machine was made with
	// Timeout, unless it is zero, takes the place of the config's: it bounds all waits for the
	// control plane together, and then the one for the addons. Unlike the config's it is written
	// into no manifest, so that a run with another one restarts nothing.
	Timeout  time.Duration
	Deadline *ready.Deadline // of all waits for the control plane
	Keep     Keep            // what reset leaves
	AllPods  bool            // reset also removes manifests of static pods that init did not make
	Began    time.Time       // when this run began: what was logged before belongs to another
}

// Open decides what is chosen by looking at the machine: once, when a command begins.
func Open(e Env) *Env {
	e.Observer, e.Deadline = *observe.Open(e.Observer), &ready.Deadline{}
	return &e
}

// OpenInit also chooses the kubelet, and asks one that others installed for its version.
func OpenInit(ctx context.Context, e Env) *Env {
	opened := Open(e)
	opened.Choices.Kubelet = opened.ChooseKubelet(ctx)
	return opened
}

// For gives env for one phase: the ledger and all that is told will name that phase.
func (e *Env) For(phase string) (*Env, plan.Teller) {
	of := *e
	of.Tell = e.Tell.For(phase)
	of.Host = e.Host.Under(phase, of.Tell.Changed)
	return &of, of.Tell
}

func (e *Env) forPhase(name string) *Env {
	env, _ := e.For(name)
	return env
}

// forPurpose gives env for effects whose purpose the ledger records too: by it, a later run
// knows what reset keeps.
func (e *Env) forPurpose(p host.Purpose) *Env {
	of := *e
	of.Host = e.Host.For(p)
	return &of
}

// Ready waits until what is and what should be agree.
func (e *Env) Ready() *ready.Waiter {
	w := &ready.Waiter{Observer: &e.Observer, Timeout: e.Timeout, Deadline: e.Deadline, Began: e.Began}
	if w.Timeout == 0 && e.Config != nil {
		w.Timeout = e.Config.ControlPlaneTimeout
	}
	return w
}
