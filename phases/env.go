package phases

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/machine"
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
	Skipped  []string        // phases that the command line leaves out
	Keep     Keep            // what reset leaves
	AllPods  bool            // reset also removes manifests of static pods that init did not make
	// Restoring is the restore of a snapshot that this run makes; nil in other runs.
	Restoring *Restoring
	Began     time.Time // when this run began: what was logged before belongs to another
}

// NewEnv is what can be known of the machine below root before its Host is opened and its
// config decided.
func NewEnv(root string, to func(plan.Event)) (Env, error) {
	o := observe.Observer{Catalogue: diagnose.ReadCatalogue(), Tell: plan.Teller{To: to}}
	e := Env{Observer: o, Began: time.Now()}
	var err error
	e.Facts, err = machine.At(root).Facts()
	return e, err
}

// OpenMachine is NewEnv with the Host, to change the machine or only to look at it.
func OpenMachine(root string, looks bool, to func(plan.Event)) (Env, error) {
	e, err := NewEnv(root, to)
	if err == nil {
		e.Host, err = OpenHost(root, looks)
	}
	return e, err
}

// OpenHost opens the machine, to change it or only to look at it, or says in a user's words
// that it takes root.
func OpenHost(root string, looks bool) (*host.Host, error) {
	open := host.Open
	if looks {
		open = host.OpenPlan
	}
	var units host.Units = host.Offline{}
	if root == "/" {
		units = host.Systemd{}
	}
	h, err := open(root, units)
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		return nil, ErrNotRoot
	}
	return h, err
}

// Close closes the Host and the Bundle, as far as they are open.
func (e *Env) Close() {
	if e.Host != nil {
		e.Host.Close()
	}
	if e.Bundle != nil {
		e.Bundle.Close()
	}
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
	timeout := cmp.Or(e.Timeout, e.Config.ControlPlaneTimeout)
	return &ready.Waiter{Observer: &e.Observer, Timeout: timeout, Deadline: e.Deadline, Began: e.Began}
}
